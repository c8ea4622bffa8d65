"""Audit a dual encoder for compositional blindness: which operators it cannot tell, and which side fails."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from obvert.commands._common import ModelOptions, bars, parse, say, show
from obvert.core import DualEncoder, ObvertError, Progress


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Audit a model on perfect pairs of Scenes, on captions of your own, or on a benchmark."""

    model: tyro.conf.Positional[str] = "zoo/clip"
    """zoo/NAME, a folder, a hub id owner/name[@revision], or open_clip:NAME/TAG."""
    out: Path
    """Folder to write: report.html, report.json, report.md, and scores.safetensors for later audits to compare with."""
    captions: Path | None = None
    """Captions of your own: a line each; .tsv lines IMAGE<TAB>CAPTION; or .json/.jsonl objects with "image" and "caption"."""
    benchmark: str = ""
    """sugarcrepe, sugarcrepe-pp, valse, aro, cola, winoground, bivlc or whatsup, or a part of one, as in sugarcrepe/swap_att."""
    root: Path | None = None
    """Folder that holds the benchmark's files."""
    images: Path | None = None
    """Folder of the pictures that captions or benchmark name; without it the text tower is audited alone."""
    against: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Another model, or the folder of an earlier audit of the same; several times for several."""
    parser: Literal["lexicon", "tagger", "scenes", "template"] = "lexicon"
    """What finds the atoms of --captions: word lists, the optional tagger, the grammar of Scenes, or marks of your own, as in
    "a [attribute/colour:red] [object:cup]"."""
    count: int = 64
    """Pairs of Scenes of each kind."""
    most: int = 2000
    """Captions of a larger file that are used."""
    certificate: bool = False
    """Build the encoder that is as good as the model on these captions, and blind to their edits."""
    seed: int = 0
    """Of draws, linear maps and intervals."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the rows as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "audit")
    _check(options)
    from obvert.models import load_dual
    from obvert.report import write
    from obvert.store import Run, taken
    from obvert.tasks._audit_compare import FILE, Scores, earlier, keep
    from obvert.tasks._audit_page import brief
    from obvert.tasks.audit import audit

    taken(options.out, overwrite=options.overwrite)
    model = options.load()
    with bars(options.json) as bar:
        material = _material(options, bar("captions"))
    digest = material.digest()
    against: list[DualEncoder | Scores] = [
        earlier(Path(name), digest)
        if (Path(name) / FILE).exists()
        else load_dual(name, device=options.device, dtype=options.dtype)
        for name in options.against
    ]
    hashes = [one.digest if isinstance(one, Scores) else one.card.sha256 for one in against]
    mark = {"model": model.card.sha256, "material": digest, "against": hashes, "dtype": options.dtype, "seed": options.seed}
    with Run(options.out, mark, overwrite=options.overwrite) as work, bars(options.json) as bar:
        page, scores = audit(
            model, material, against=against, certify=options.certificate, run=work, seed=options.seed, progress=bar
        )
        settings: dict[str, Any] = {k: v for k, v in asdict(options).items() if k not in ("overwrite", "json", "device")}
        page = replace(page, meta={**page.meta, "command": f"obvert audit {shlex.join(argv)}", "settings": settings})
        write(page, work.folder)
        keep(scores, work.folder)
    for warning in page.warnings:
        say(f"warning: {warning}", options.json)
    say(page.lead, options.json)
    show(page.rows if options.json else brief(page.rows), as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0


def _check(options: Options) -> None:
    if options.captions and options.benchmark:
        raise ObvertError("need --captions or --benchmark, got both")
    if bool(options.benchmark) != (options.root is not None):
        raise ObvertError("need --benchmark NAME and --root DIR together, got one of them")
    if options.images and not (options.captions or options.benchmark):
        raise ObvertError("need --captions FILE or --benchmark NAME with --images, got neither")
    if options.images and not options.images.is_dir():
        raise ObvertError(f"need a folder of pictures, got {options.images}")
    if min(options.count, options.most) < 1:
        raise ObvertError(f"need --count and --most of 1 or more, got {options.count} and {options.most}")


def _material(options: Options, progress: Progress | None) -> Any:
    from obvert.tasks.audit import from_benchmark, from_captions, from_scenes

    if options.benchmark:
        return from_benchmark(options.benchmark, options.root or Path(), options.images)
    if options.captions:
        from obvert.composition.text.parsing import parser

        return from_captions(
            options.captions,
            options.images,
            parser(options.parser),
            most=options.most,
            seed=options.seed,
            progress=progress,
        )
    return from_scenes(options.count)
