"""Search pictures by picture or texts by text, every feature map side by side, with a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from obvert.commands._common import ModelOptions, bars, parse, say, show
from obvert.core import ObvertError
from obvert.methods.oti import OTI
from obvert.methods.ovi import OVI
from obvert.report import write
from obvert.solvers.plateau import Plateau
from obvert.store import Run
from obvert.tasks._apply import check


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Search a class-labelled folder of pictures, or a file of captions in groups."""

    out: Path
    """Folder to write: report.html, report.json, report.md."""
    images: Path | None = None
    """Folder with one folder of pictures for each class."""
    captions: Path | None = None
    """Captions in groups: .tsv lines GROUP<TAB>CAPTION, or .json/.jsonl objects with "image" and "caption"."""
    by: str = ""
    """Feature maps, separated by commas; all of them by default: native,oti,isoclip,text-pca,mean (ovi for captions)."""
    names: Path | None = None
    """Text file of names, one a line, that text-PCA learns from."""
    tokens: int = field(default=1)
    """Pseudo-tokens of OTI."""
    steps: int | None = None
    """Most steps of OTI or OVI; 150 and 1000 as published by default."""
    plateau: bool = False
    """Stop each query when its error has stopped falling fast."""
    seed: int = 0
    """Of methods and intervals."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the rows as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "retrieve")
    source = options.images or options.captions
    if source is None or (options.images and options.captions):
        raise ObvertError("need either --images FOLDER or --captions FILE, got " + ("both" if options.images else "neither"))
    from obvert.tasks.search import search_pictures, search_texts

    crossing = "oti" if options.images else "ovi"
    by = [name.strip() for name in options.by.split(",") if name.strip()] or ["native", crossing, "isoclip", "text-pca", "mean"]
    check(by, "image" if options.images else "text")
    method: OTI | OVI = OTI(tokens=options.tokens) if options.images else OVI()
    if options.steps is not None:
        method = replace(method, steps=options.steps)
    if options.plateau:
        method = replace(method, stop=Plateau())
    names = _names(options.names)
    settings = {k: v for k, v in asdict(options).items() if k not in ("overwrite", "json", "device")}
    model = options.load()
    run = Run(options.out, settings | {"sha256": model.card.sha256, "files": _listing(source)}, overwrite=options.overwrite)
    search = search_pictures if options.images else search_texts
    with bars(options.json) as bar:
        report = search(model, source, by, names=names, settings={crossing: method}, run=run, seed=options.seed, progress=bar)
    report = replace(report, meta={**report.meta, "command": "obvert retrieve " + " ".join(argv), "settings": settings})
    write(report, run.folder)
    run.finish()
    for warning in report.warnings:
        say(f"warning: {warning}", options.json)
    show(report.rows, as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0


def _names(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ObvertError(f"need a text file of names, got {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    if len(names) < 2:
        raise ObvertError(f"need at least two names in {path}, got {len(names)}")
    return names


def _listing(source: Path) -> list[str]:
    """Names and sizes of the input files: pieces of another input are not reused."""
    if not source.exists():
        return []
    files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
    return [f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files]
