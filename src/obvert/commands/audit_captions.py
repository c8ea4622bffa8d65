"""Tell what a corpus of captions can teach of word order and composition, and what it never can; no model is needed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from obvert.commands._common import parse, say, show
from obvert.core import ObvertError


@dataclass(frozen=True, kw_only=True)
class Options:
    """Audit a file of captions of any size, or captions of Scenes."""

    file: tyro.conf.Positional[Path | None] = None
    """A caption a line; or .tsv lines PICTURE<TAB>CAPTION; or .jsonl or .json with "caption", "captions" or "sentences", and
    "image" where several captions are of one picture."""
    out: Path
    """Folder to write: report.html, report.json, report.md."""
    scenes: int = 0
    """Draw the captions of so many Scenes instead of reading a file."""
    parser: Literal["lexicon", "tagger", "scenes"] | None = None
    """What finds the atoms: scenes for --scenes, otherwise lexicon, which needs nothing; tagger is better on free text."""
    batch: tuple[int, ...] = ()
    """Sizes of batches; the usual ones by default, as far as the corpus fills them."""
    sample: int = 2000
    """Captions whose edits are looked for."""
    context: int = 77
    """Positions of a text tower; captions that do not fit are counted."""
    seed: int = 0
    """Of the captions drawn and of their edits."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the rows as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "audit-captions")
    if (options.file is None) == (options.scenes == 0):
        raise ObvertError("need a file of captions or --scenes N, got both or neither")
    if options.scenes < 0 or options.sample < 1 or options.context < 3:
        told = f"{options.scenes}, {options.sample} and {options.context}"
        raise ObvertError(f"need --scenes and --sample of 1 or more and --context of 3 or more, got {told}")
    from obvert.captions import stream_captions
    from obvert.composition.text.parsing import parser
    from obvert.report import write
    from obvert.store import new_folder
    from obvert.tasks.audit_captions import audit_captions, scene_captions

    if options.file is None:
        name, captions = f"{options.scenes} Scenes", scene_captions(options.scenes, options.seed)
    else:
        name, captions = options.file.name, stream_captions(options.file)
    with new_folder(options.out, overwrite=options.overwrite) as side:
        (hashes := side / "hashes").mkdir()
        page = audit_captions(
            captions,
            parser(options.parser or ("scenes" if options.file is None else "lexicon")),
            name=name,
            folder=hashes,
            batches=options.batch,
            sample=options.sample,
            context=options.context,
            seed=options.seed,
        )
        shutil.rmtree(hashes)
        write(replace(page, meta={**page.meta, "command": f"obvert audit-captions {shlex.join(argv)}"}), side)
    for warning in page.warnings:
        say(f"warning: {warning}", options.json)
    show(page.rows, as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0
