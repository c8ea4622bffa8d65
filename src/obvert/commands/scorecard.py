"""Score a captioner, recogniser, text-to-image model or synthesiser: are the inputs that reach its outputs anything?"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tyro

from obvert.commands._common import ModelOptions, bars, parse, say, show
from obvert.commands.invert import load_model
from obvert.core import Reader, Writer
from obvert.report import write
from obvert.store import taken
from obvert.tasks._judges import judges_of
from obvert.tasks._prompt_judges import prompt_judges
from obvert.tasks.scorecard import PHRASES, REFERENCES, Size, scorecard


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """One page about a model, with the zoo's model of the same kind beside it."""

    model: tyro.conf.Positional[str] = "zoo/captioner"
    """zoo/NAME, a folder or a hub id owner/name[@revision]."""
    out: Path
    """Folder to write: report.html, report.json, report.md."""
    target: tuple[str, ...] = PHRASES
    """Texts, 2 or more: to be read, or to be drawn or spoken and found again."""
    judges: str | None = None
    """Independent readers, separated by commas; "" for none. The zoo's models have their own when not told."""
    encoder: str | None = None
    """Dual encoder that judges pictures, and the words found for them; "" for none. The zoo's models have their own when not
    told."""
    real: Path | None = None
    """Folder of real pictures or sounds, to tell how far from them others lie. The zoo's models have their own when not told."""
    alone: bool = False
    """Leave out the zoo's model."""
    size: Size = field(default_factory=Size)
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the scores as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "scorecard")
    taken(options.out, overwrite=options.overwrite)
    model = load_model(options.model, options.device, options.dtype)
    models, names = [model], [options.model]
    reference = REFERENCES[Reader if isinstance(model, Reader) else Writer, model.media]
    if not options.alone and reference != options.model:
        models.append(load_model(reference, options.device, "float32"))
        names.append(reference)
    judges = [_judges(one, name, options) for one, name in zip(models, names, strict=True)]
    with bars(options.json) as bar:
        page = scorecard(models, list(options.target), judges=judges, size=options.size, progress=bar)
    write(replace(page, meta={**page.meta, "command": f"obvert scorecard {shlex.join(argv)}"}), options.out)
    show(page.rows, as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0


def _judges(model: Reader | Writer, name: str, options: Options) -> Any:
    """Of the model those that were told; the one beside it has its own readers, for it may be among them."""
    own = options.judges is None or name != options.model
    told = None if own else [one for one in (options.judges or "").split(",") if one]
    if isinstance(model, Writer):
        return prompt_judges(name, readers=told, encoder=options.encoder)
    return judges_of(name, model, readers=told, encoder=options.encoder, real=options.real)
