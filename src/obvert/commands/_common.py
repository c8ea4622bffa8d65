"""What commands share: parsing, the options of every model, progress bars."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import tyro

from obvert.core import DualEncoder, ObvertError, Progress

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and where it runs."""

    model: str = "zoo/clip"
    """zoo/NAME, a folder, a hub id owner/name[@revision], or open_clip:NAME/TAG."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """What the frozen weights are cast to, once."""

    def load(self) -> DualEncoder:
        """Load the model."""
        from obvert.models import load_dual

        return load_dual(self.model, device=self.device, dtype=self.dtype)


def parse(kind: Callable[..., T], argv: Sequence[str], name: str) -> T:
    """Options of a command from the command line.

    Args:
        kind: the options' dataclass.
        argv: arguments after the command's name.
        name: of the command.

    Returns:
        The options.

    Raises:
        ObvertError: for wrong ones, in one line.
        SystemExit: after help was shown.
    """
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            return tyro.cli(
                kind,
                args=list(argv),
                prog=f"obvert {name}",
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.AvoidSubcommands, tyro.conf.SuppressFixed),
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise ObvertError(f"{_flat(told.getvalue())}; obvert {name} --help tells all") from None


def named(paths: Sequence[Path]) -> list[str]:
    """A name for each file, its stem; numbered where two are alike."""
    names: list[str] = []
    for stem in (Path(os.path.abspath(path)).stem for path in paths):
        same = sum(name == stem or name.startswith(f"{stem}-") for name in names)
        names.append(stem if stem not in names else f"{stem}-{same + 1}")
    return names


def _flat(box: str) -> str:
    """What a drawn box says, on one line: without its frame, its title and its pointer to the help."""
    plain = re.sub(r"\x1b\[[0-9;]*m|[\u2500-\u257f]", "", box)
    lines = [line.strip() for line in plain.splitlines()[1:]]
    return " ".join(filter(None, lines)).split("For full helptext")[0].strip().removesuffix(".") or "wrong options"


@contextmanager
def bars(quiet: bool = False) -> Iterator[Callable[[str], Progress | None]]:
    """Progress bars with rate and time left, on stderr; a line every half minute where stderr is no terminal.

    Args:
        quiet: show nothing.

    Yields:
        name -> a callback (done, total, error) that moves a bar of that name.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not quiet and not console.is_terminal:
        yield _lines
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[error]}"),
    )
    with Bars(*columns, console=console, disable=quiet) as progress:

        def bar(name: str) -> Callable[[int, int, float], None]:
            task = progress.add_task(name, total=None, error="", rate="")

            def move(done: int, total: int, error: float) -> None:
                speed = progress.tasks[task].speed
                progress.update(
                    task, completed=done, total=total, error=f"error {error:.4f}", rate=f"{speed:.0f}/s" if speed else ""
                )

            return move

        yield bar


def _lines(name: str, every: float = 30.0) -> Progress:
    """A callback that prints progress as plain lines, at most one every so many seconds."""
    said = time.monotonic()
    start: tuple[float, int] | None = None  # of this sitting: a resumed training does not begin at 0

    def move(done: int, total: int, error: float) -> None:
        nonlocal said, start
        now = time.monotonic()
        start = start or (now, done)
        if now - said >= every and done > start[1]:
            said = now
            left = (now - start[0]) / (done - start[1]) * (total - done)
            say(f"{name}: {done} of {total}, error {error:.4f}, {left:.0f} s left")

    return move


def say(text: str, quiet: bool = False) -> None:
    """Tell the user how it goes, on stderr."""
    if not quiet:
        print(text, file=sys.stderr)


def show(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print result rows on stdout: as JSON, NaN and infinity as null, or as a table of what a person wants first."""
    if as_json:
        finite = [
            {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
            for row in rows
        ]
        print(json.dumps(finite, indent=1, allow_nan=False, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in rows if row["task"] == task]
        hidden = {"task", "undefined_queries"} | (set() if len({row.get("model") for row in mine}) > 1 else {"model"})
        keys = [k for k in mine[0] if k not in hidden and not k.endswith("_interval")]
        table = Table(title=task, title_justify="left")
        for key in keys:
            table.add_column(key.replace("_", " "), justify="left" if key == "features" else "right")
        for row in mine:
            table.add_row(*(_cell(row, key) for key in keys))
        Console(width=None if sys.stdout.isatty() else 140).print(table)


def _cell(row: dict[str, Any], key: str) -> str:
    value, interval = row.get(key), row.get(f"{key}_interval")
    if value is None:
        return "–"
    small = key == "seconds_per_query" or (isinstance(value, float) and 0 < abs(value) < 1e-3)
    text = f"{value:.2g}" if small else f"{value:.3f}" if isinstance(value, float) else str(value)
    return f"{text} [{interval[0]:.3f}, {interval[1]:.3f}]" if interval and key in ("map", "accuracy") else text
