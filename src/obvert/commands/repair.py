"""Repair a dual encoder that is blind to composition: tune it on real pairs and hard negatives."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from obvert.commands._common import ModelOptions, bars, parse, say, show
from obvert.composition.repair.tune import Repair
from obvert.core import ObvertError
from obvert.tasks._repair_course import Size


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Repair a model. It stays as it is; the repaired one is another checkpoint. An interrupted run goes on where it stopped."""

    model: tyro.conf.Positional[str] = "zoo/clip"
    """A CLIP, SigLIP or OpenCLIP: zoo/NAME, a folder, a hub id owner/name[@revision], or open_clip:NAME/TAG."""
    out: Path
    """Folder to write: model, the repaired checkpoint in the format of the first; report.html, report.json, report.md."""
    contrasts: str = ""
    """A benchmark of real pairs to learn from: winoground, cola, bivlc, ..., as obvert audit --benchmark takes them."""
    root: Path | None = None
    """Folder that holds the benchmark's files."""
    captions: Path | None = None
    """Captions to learn from, hard negatives being mined: .tsv lines IMAGE<TAB>CAPTION, or .json/.jsonl objects."""
    images: Path | None = None
    """Folder of the pictures that captions or benchmark name."""
    zero_shot: Path | None = None
    """Folder of pictures in a folder of each class, on which zero-shot accuracy is kept; 64 kinds of things for zoo models."""
    allowed: float = 0.02
    """Zero-shot accuracy that may be lost where the share of the new weights is chosen."""
    parser: Literal["lexicon", "tagger", "scenes", "template"] = "lexicon"
    """What finds the atoms of --captions."""
    beam: int = 4
    """Hard negatives that are mined of each caption at each depth."""
    most: int = 2000
    """Captions of a larger file that are used."""
    repair: Repair = field(default_factory=Repair)
    scenes: Size = field(default_factory=Size)
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the rows as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "repair")
    _check(options)
    from obvert.report import write
    from obvert.store import Run, taken
    from obvert.tasks._repair_page import report
    from obvert.tasks.repair import repair, tunable

    taken(options.out, overwrite=options.overwrite)
    model = tunable(options.load(), options.repair.rank, options.repair.image_tower)
    settings: dict[str, Any] = {k: v for k, v in asdict(options).items() if k not in ("overwrite", "json", "out")}
    files = [file for file in (options.captions, options.root) if file and file.exists()]
    mark = settings | {"sha256": model.card.sha256, "changed": [file.stat().st_mtime_ns for file in files]}
    with Run(options.out, mark, overwrite=options.overwrite) as work, bars(options.json) as bar:
        course = _course(options, model, work, bar)
        found = repair(model, course, options.repair, allowed=options.allowed, run=work, progress=bar)
        page = report(model, course, options.repair, found)
        page = replace(page, meta={**page.meta, "command": f"obvert repair {shlex.join(argv)}", "settings": settings})
        write(page, work.folder)
        (work.folder / "model").mkdir(exist_ok=True)
        found.tuning.save(work.folder / "model")
        whole = [row for row in found.rows if row["task"] in ("repair", "zero-shot")]
        about: dict[str, Any] = {"licence": model.card.licence, "repaired": model.card.name, "sha256": model.card.sha256}
        about |= {"repair": asdict(options.repair), "share": found.share, "material": course.name, "scores": whole}
        (work.folder / "model" / "card.json").write_text(json.dumps(about, indent=1))
    for warning in page.warnings:
        say(f"warning: {warning}", options.json)
    say(page.lead, options.json)
    show(page.rows if options.json else whole, as_json=options.json)
    say(f"repaired model: {options.out / 'model'}; report: {options.out / 'report.html'}", options.json)
    return 0


def _check(options: Options) -> None:
    if options.captions and options.contrasts:
        raise ObvertError("need --captions or --contrasts, got both")
    if bool(options.contrasts) != (options.root is not None):
        raise ObvertError("need --contrasts NAME and --root DIR together, got one of them")
    if options.captions and options.images is None:
        raise ObvertError("need the pictures of --captions with --images DIR, got none")
    if options.images and not (options.captions or options.contrasts):
        raise ObvertError("need --captions FILE or --contrasts NAME with --images, got neither")
    if options.images and not options.images.is_dir():
        raise ObvertError(f"need a folder of pictures, got {options.images}")
    if not (options.model.startswith("zoo/") or options.captions or options.contrasts):
        raise ObvertError(f"need --captions or --contrasts to repair {options.model}: only models of the zoo know Scenes")
    if options.most < 1 or not 0 <= options.allowed <= 1:
        raise ObvertError(f"need --most of 1 or more and --allowed in [0, 1], got {options.most} and {options.allowed}")


def _course(options: Options, model: Any, work: Any, bar: Any) -> Any:
    """What is learned from and asked."""
    from obvert.composition.operators import Vocabulary
    from obvert.composition.repair.miner import Miner
    from obvert.composition.text.parsing import parser
    from obvert.datasets.folder import read
    from obvert.tasks import _repair_given as given
    from obvert.tasks._audit_captions import from_captions
    from obvert.tasks._repair_course import from_scenes, kinds_of_things

    if not (options.captions or options.contrasts):
        return from_scenes(model, options.scenes, run=work, progress=bar("scenes"))
    shots = kinds_of_things(model, options.scenes.shots) if options.model.startswith("zoo/") else None
    if options.zero_shot:
        shots = given.from_folder(model, read(options.zero_shot), run=work, progress=bar("zero-shot"))
    how: dict[str, Any] = {"run": work, "seed": options.repair.seed, "progress": bar}
    if options.contrasts:
        return given.from_contrasts(
            model, given.from_files(options.contrasts, options.root or Path(), options.images), shots, **how
        )
    parse_text = parser(options.parser)
    material = from_captions(
        options.captions or Path(),
        options.images,
        parse_text,
        most=options.most,
        seed=options.repair.seed,
        progress=bar("captions"),
    )
    odd = {name: count for name, count in material.counted.items() if count and name != "captions"}
    told = [f"{count:,} of {material.counted['captions']:,} captions are {name}" for name, count in odd.items()]
    miner = Miner(vocabulary=Vocabulary(words={}), depth=options.repair.depth, beam=options.beam, seed=options.repair.seed)
    return given.from_contrasts(
        model, material.contrasts, shots, miner=miner, parse=parse_text, warnings=(*told, *material.warnings), **how
    )
