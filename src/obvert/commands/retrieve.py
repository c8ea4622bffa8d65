"""Search pictures by picture or texts by text, every feature map side by side, with a report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from obvert.commands._common import ModelOptions, bars, parse, say, show
from obvert.core import DualEncoder, Fitted, ObvertError, PictureSet, TextSet
from obvert.methods.oti import OTI
from obvert.methods.ovi import OVI
from obvert.report import write
from obvert.solvers.plateau import Plateau
from obvert.store import Run
from obvert.store import open as open_folder
from obvert.tasks._apply import check


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Search labelled pictures (a folder or a data set), or texts (a data set, or a file of captions in groups)."""

    out: Path
    """Folder to write: report.html, report.json, report.md."""
    images: Path | None = None
    """Folder with one folder of pictures for each class."""
    dataset: str = ""
    """Data set in its own layout below --root. Pictures: cub, sop, imagenet, coop/NAME, revisited/NAME, folder, parquet.
    Texts: captions/NAME, nanobeir/NAME, imdb, newsgroups, parquet."""
    root: Path | None = None
    """Folder that holds the data set's own folder; of parquet the table itself, or a folder of tables."""
    captions: Path | None = None
    """Captions in groups: .tsv lines GROUP<TAB>CAPTION, or .json/.jsonl objects with "image" and "caption"."""
    by: str = ""
    """Feature maps, separated by commas; all of them by default: native,oti,isoclip,text-pca,mean (ovi for texts). "auto"
    chooses map, steps and fusion with native features on a validation split and explains itself."""
    allow_single: bool = False
    """Go on when a class has one picture only: it has nothing to find and is left out of the means."""
    names: Path | None = None
    """Text file of names, one a line, that text-PCA learns from."""
    inverter: Path | None = None
    """Folder of a learned inverter, from obvert inverter train; its row joins the others."""
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
    given = [option for option in ("images", "dataset", "captions") if getattr(options, option)]
    if len(given) != 1:
        raise ObvertError(f"need one of --images, --dataset and --captions, got {' and '.join(given) or 'neither'}")
    if bool(options.dataset) != (options.root is not None):
        raise ObvertError("need --dataset NAME and --root DIR together, got one of them")
    from obvert.captions import read_captions
    from obvert.datasets import read
    from obvert.tasks.search import search_pictures, search_texts

    source = (
        read_captions(options.captions)
        if options.captions
        else read(options.dataset or "folder", options.root or options.images or "")
    )
    texts = isinstance(source, TextSet)
    crossing = "ovi" if texts else "oti"
    learned = {"inverter": _fitted(options.inverter)} if options.inverter else {}
    by = [name.strip() for name in options.by.split(",") if name.strip()]
    by = by or ["native", crossing, "isoclip", "text-pca", "mean", *learned]
    check(by, "text" if texts else "image")
    method: OTI | OVI = OVI() if texts else OTI(tokens=options.tokens)
    if options.steps is not None:
        method = replace(method, steps=options.steps)
    if options.plateau:
        method = replace(method, stop=Plateau())
    names = _names(options.names)
    settings = {k: v for k, v in asdict(options).items() if k not in ("overwrite", "json", "device")}
    search: Any = search_texts if texts else partial(search_pictures, allow_single=options.allow_single)
    model = options.load()
    if not options.by and (reason := _no_projections(model)):
        by.remove("isoclip")
        say(f"warning: isoclip is left out: {reason}", options.json)
    chosen = {crossing: method, **learned}
    mark = settings | {"sha256": model.card.sha256, "files": _stamp(source)}
    with Run(options.out, mark, overwrite=options.overwrite) as run, bars(options.json) as bar:
        report = search(model, source, by, names=names, settings=chosen, run=run, seed=options.seed, progress=bar)
        report = replace(report, meta={**report.meta, "command": "obvert retrieve " + " ".join(argv), "settings": settings})
        write(report, run.folder)
    for warning in report.warnings:
        say(f"warning: {warning}", options.json)
    show(report.rows, as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0


def _no_projections(model: DualEncoder) -> str:
    """Why a model has no projection matrices for isoclip; "" when it has."""
    try:
        model.projections()
    except ObvertError as error:
        return str(error)
    return ""


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


def _fitted(folder: Path) -> Fitted:
    found = open_folder(folder)
    if not isinstance(found, Fitted):
        raise ObvertError(f"need a learned inverter, got {folder}, which holds an inversion")
    return found


def _stamp(source: PictureSet | TextSet) -> str:
    """Hash of the texts, or of the pictures' places and the files' sizes and times: pieces of another input are not reused."""
    digest = hashlib.sha256(repr((source.queries, source.gallery)).encode())
    if isinstance(source, TextSet):
        digest.update(repr((source.texts, source.groups)).encode())
        return digest.hexdigest()
    for picture in source.paths:
        digest.update(f"{picture}\n".encode())
    for file in dict.fromkeys(picture if isinstance(picture, Path) else picture.file for picture in source.paths):
        if file.exists():
            state = file.stat()
            digest.update(f"{file} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
