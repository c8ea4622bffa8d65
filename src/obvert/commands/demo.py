"""Show the main job on the embedded zoo: no network, no data, under three minutes; writes a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from obvert.commands._common import bars, parse, say, show
from obvert.report import write
from obvert.store import Run
from obvert.tasks.demo import Size, demonstrate


@dataclass(frozen=True, kw_only=True)
class Options:
    """Invert, search and report on scenes the embedded CLIP has never seen."""

    out: Path
    """Folder to write: report.html, report.json, report.md."""
    model: str = "zoo/clip"
    """A dual encoder of the zoo."""
    size: Size = field(default_factory=Size)
    seed: int = 0
    """Of methods and intervals."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the rows as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "demo")
    settings = {"model": options.model, "seed": options.seed, **asdict(options.size)}
    with Run(options.out, settings, overwrite=options.overwrite) as run, bars(options.json) as bar:
        report = demonstrate(options.model, size=options.size, run=run, seed=options.seed, progress=bar)
        report = replace(report, meta={**report.meta, "command": "obvert demo " + " ".join(argv)})
        write(report, run.folder)
    show(report.rows, as_json=options.json)
    for line in report.blocks[0].lines:  # type: ignore[union-attr]
        say(line, options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0
