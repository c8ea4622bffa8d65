"""Run all experiments of a paper on the zoo and say which of its claims hold here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import tyro

from obvert.commands._common import bars, parse, say, show
from obvert.core import ObvertError
from obvert.registry import unknown
from obvert.report import Report, write
from obvert.store import Run, taken
from obvert.tasks import composition, cross_the_gap, decoder_inversion, invertibility, mimic


@dataclass(frozen=True, kw_only=True)
class Options:
    """Run a paper's experiments. An interrupted run goes on where it stopped."""

    name: tyro.conf.Positional[str]
    """Of the paper: composition, cross-the-gap, decoder-inversion, invertibility, mimic."""
    out: Path
    """Folder to write: report.html, report.json, report.md; models trained on the way lie beside it in OUT.models."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the claims as JSON."""


@dataclass(frozen=True, kw_only=True)
class Composition(Options):
    """Compositional blindness: its theory beside measurement. An interrupted run goes on where it stopped."""

    size: composition.Size = field(default_factory=composition.Size)


@dataclass(frozen=True, kw_only=True)
class CrossTheGap(Options):
    """Exposing the intra-modal misalignment in CLIP via modality inversion. An interrupted run goes on where it stopped."""

    size: cross_the_gap.Size = field(default_factory=cross_the_gap.Size)


@dataclass(frozen=True, kw_only=True)
class DecoderInversion(Options):
    """Gradient-free decoder inversion in latent diffusion models. An interrupted run goes on where it stopped."""

    size: decoder_inversion.Size = field(default_factory=decoder_inversion.Size)


@dataclass(frozen=True, kw_only=True)
class Invertibility(Options):
    """Investigating the invertibility of multimodal latent spaces. An interrupted run goes on where it stopped."""

    size: invertibility.Size = field(default_factory=invertibility.Size)


@dataclass(frozen=True, kw_only=True)
class Mimic(Options):
    """MIMIC: multimodal inversion for model interpretation and conceptualization. An interrupted run goes on where it stopped."""

    size: mimic.Size = field(default_factory=mimic.Size)


PAPERS: dict[str, tuple[type[Options], Callable[..., Report]]] = {
    "composition": (Composition, composition.composition),
    "cross-the-gap": (CrossTheGap, cross_the_gap.cross_the_gap),
    "decoder-inversion": (DecoderInversion, decoder_inversion.decoder_inversion),
    "invertibility": (Invertibility, invertibility.invertibility),
    "mimic": (Mimic, mimic.mimic),
}


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    named = next((word for word in argv if not word.startswith("-")), None)
    if named is None or (named not in PAPERS and {"-h", "--help"} & set(argv)):
        parse(Options, argv, "paper")
    if named not in PAPERS:
        raise ObvertError(unknown("paper", str(named), list(PAPERS)))
    kind, experiments = PAPERS[named]
    options: Any = parse(kind, argv, f"paper {named}")
    if options.name != named:
        raise ObvertError(f"need the paper first, as in obvert paper {named} --out DIR")
    taken(options.out, overwrite=options.overwrite)
    models = options.out.with_name(options.out.name + ".models")
    settings = {"paper": options.name, **asdict(options.size)}
    with Run(options.out, settings, overwrite=options.overwrite) as work, bars(options.json) as bar:
        report = experiments(models, size=options.size, run=work, progress=bar)
        report = replace(report, meta={**report.meta, "command": "obvert paper " + " ".join(argv)})
        write(report, work.folder)
    show([row for row in report.rows if row["task"] == "claims"], as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0
