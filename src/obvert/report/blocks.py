"""What a report is made of: plain data, no drawing.

A picture is a (3, H, W) or (H, W, 3) tensor or array, uint8 or float in [0, 1], or a `Medium`: then a video moves, and a
sound is a spectrogram with a player.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from obvert.media import Medium

    Picture = Tensor | np.ndarray | Medium

DASH = "–"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One printed cell of a table."""

    text: str
    interval: str = ""
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of plain JSON values."""

    title: str
    rows: list[dict[str, Any]]
    columns: list[str] | None = None
    """Which columns to print, in order; by default every key met that is not an interval's."""
    intervals: dict[str, str] = field(default_factory=dict)
    """Column to the key of its [low, high], printed beside the value."""
    best: tuple[str, ...] = ()
    """Columns whose highest value is set in bold; ties as printed are all bold, a value without a rival is not."""
    group: tuple[str, ...] = ()
    """Columns that name a group: values compete, and bold is given, within a group only."""
    note: str = ""

    def heads(self) -> list[str]:
        """The printed columns."""
        if self.columns is not None:
            return list(self.columns)
        return [key for key in dict.fromkeys(key for row in self.rows for key in row) if key not in self.intervals.values()]

    def is_numeric(self, column: str) -> bool:
        """Whether a column holds numbers only, beside gaps."""
        values = [row[column] for row in self.rows if row.get(column) is not None]
        return bool(values) and all(_is_number(value) for value in values)

    def lines(self) -> Iterator[tuple[bool, list[Cell]]]:
        """The printed rows, each with whether it opens a new group."""
        rivals: dict[tuple[str, str], list[float]] = {}
        for row in self.rows:
            for column in self.best:
                if _is_number(row.get(column)) and not math.isnan(row[column]):
                    rivals.setdefault((self._group(row), column), []).append(row[column])
        winners = {key: show(max(values)) for key, values in rivals.items() if len(values) > 1}
        last = None
        for row in self.rows:
            group = self._group(row)
            yield (
                last not in (None, group),
                [
                    Cell(
                        text=(text := show(row.get(column))),
                        interval=show_interval(row.get(self.intervals.get(column, ""))),
                        best=text == winners.get((group, column)),
                    )
                    for column in self.heads()
                ],
            )
            last = group

    def _group(self, row: dict[str, Any]) -> str:
        return repr([row.get(column) for column in self.group])


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Lines over a common axis."""

    title: str
    x_label: str
    y_label: str
    series: dict[str, tuple[Sequence[float], Sequence[float]]]
    """Name to its x and its y."""
    lines: dict[str, float] = field(default_factory=dict)
    """Dashed horizontal baselines."""
    marks: dict[str, float] = field(default_factory=dict)
    """Dotted vertical marks."""
    bands: dict[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)
    """Name of a series to the low and the high end of its band."""
    log_x: bool = False
    """Logarithmic x; points at x <= 0 are left out."""
    note: str = ""

    def __post_init__(self) -> None:
        for name, (x, y) in self.series.items():
            sizes = {len(x), len(y), *map(len, self.bands.get(name, ()))}
            if len(sizes) > 1:
                raise ValueError(f"the series {name!r} of {self.title!r} mixes the lengths {sorted(sizes)}")
        if strays := self.bands.keys() - self.series.keys():
            raise ValueError(f"bands of {self.title!r} without a series: {sorted(strays)}")


@dataclass(frozen=True, kw_only=True)
class Histograms:
    """Overlaid densities of samples."""

    title: str
    x_label: str
    series: dict[str, Sequence[float]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Dots:
    """Shares of a few rivals, line by line: a dot with its interval on a track from 0 to 1."""

    title: str
    labels: Sequence[str]
    """Of each line."""
    series: dict[str, Sequence[float]]
    """Name to its share of each line, in [0, 1]; NaN where it has none."""
    intervals: dict[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    """Name of a series to [low, high] of each line."""
    lines: dict[str, float] = field(default_factory=dict)
    """Dashed marks on every track."""
    remarks: Sequence[str] = ()
    """Said behind each line."""
    note: str = ""

    def __post_init__(self) -> None:
        _fit(self.title, self.labels, self.remarks, {**self.series, **self.intervals})


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Wholes and what they are made of, line by line: a bar in parts."""

    title: str
    labels: Sequence[str]
    """Of each line."""
    series: dict[str, Sequence[float]]
    """Name of a part to its share of each line, in [0, 1]."""
    colours: dict[str, int] = field(default_factory=dict)
    """Of each part the number of its colour in the page's cycle; the next free one where it is not told."""
    remarks: Sequence[str] = ()
    """Said behind each line."""
    note: str = ""

    def __post_init__(self) -> None:
        _fit(self.title, self.labels, self.remarks, self.series)


@dataclass(frozen=True, kw_only=True)
class GalleryRow:
    """A query, and what was found for it."""

    query: Picture | str
    label: str
    results: dict[str, list[tuple[Picture | str, str, bool | None]]]
    """Feature map to its top results: picture or text, caption, right or wrong (None when it is neither)."""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Queries with their top results."""

    title: str
    queries: list[GalleryRow]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Text:
    """Paragraphs."""

    title: str
    lines: list[str]


Block = Table | Curves | Histograms | Dots | Shares | Gallery | Text


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a run has to say."""

    title: str
    lead: str = ""
    """The main finding, in a sentence or two."""
    blocks: list[Block] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The results for machines to read, as plain JSON values."""
    meta: dict[str, Any] = field(default_factory=dict)
    """Versions, seeds, command, model card; may nest."""
    warnings: list[str] = field(default_factory=list)
    """What a reader must know before trusting the results."""


def show(value: Any) -> str:
    """Print a table's value; a gap or NaN is an en dash."""
    if value is None or value != value:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) < 1e-12 or 1e-3 <= abs(value) < 1e4:
        return f"{value:z.3f}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{digits}e{int(exponent)}"


def show_interval(bounds: Sequence[float] | None) -> str:
    """Print [low, high] with as many decimals as its width deserves, two at least; "" when an end is missing."""
    if bounds is None or not all(_is_number(bound) and math.isfinite(bound) for bound in bounds):
        return ""
    low, high = bounds
    wide = high - low > 1e-5 * max(abs(low), abs(high))  # what is narrower is the rounding of fp32
    decimals = min(6, max(2, -math.floor(math.log10(high - low)))) if wide else 3
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _fit(title: str, labels: Sequence[str], remarks: Sequence[str], series: dict[str, Any]) -> None:
    lengths = {len(labels), len(remarks) or len(labels), *map(len, series.values())}
    if len(lengths) > 1:
        raise ValueError(f"the lines of {title!r} mix the lengths {sorted(lengths)}")
