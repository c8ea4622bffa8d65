"""Run all experiments of a paper on the zoo and say which of its claims hold here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import tyro

from obvert.commands._common import bars, parse, say, show
from obvert.core import ObvertError
from obvert.registry import unknown
from obvert.report import write
from obvert.store import Run, taken
from obvert.tasks.cross_the_gap import CLAIM, Size, cross_the_gap

PAPERS = {"cross-the-gap": cross_the_gap}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Run a paper's experiments. An interrupted run goes on where it stopped."""

    name: tyro.conf.Positional[str]
    """Of the paper: cross-the-gap."""
    out: Path
    """Folder to write: report.html, report.json, report.md; models trained on the way lie beside it in OUT.models."""
    size: Size = field(default_factory=Size)
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the claims as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "paper")
    if options.name not in PAPERS:
        raise ObvertError(unknown("paper", options.name, list(PAPERS)))
    taken(options.out, overwrite=options.overwrite)
    models = options.out.with_name(options.out.name + ".models")
    settings = {"paper": options.name, **asdict(options.size)}
    with Run(options.out, settings, overwrite=options.overwrite) as work, bars(options.json) as bar:
        report = PAPERS[options.name](models, size=options.size, run=work, progress=bar)
        report = replace(report, meta={**report.meta, "command": "obvert paper " + " ".join(argv)})
        write(report, work.folder)
    show([row for row in report.rows if row["task"] == CLAIM], as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0
