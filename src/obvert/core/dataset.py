"""Sets of pictures or texts, who searches whom in them, and what should be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Stored(Protocol):
    """A picture that is no file of its own: part of a file, fetched when it is asked for. `str` tells its place."""

    @property
    def file(self) -> Path:
        """The file that it is part of."""

    def fetch(self) -> Any:
        """The picture, as `obvert.io.read_images` takes it."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What each query should find, said query by query."""

    relevant: Sequence[Sequence[int]]
    """Of each query, the rows of the set that are relevant."""
    junk: Sequence[Sequence[int]]
    """Of each query, the rows that are taken out of its ranking: neither right nor wrong."""
    trapezoidal: bool = False
    """Measured as ROxford and RParis are, see `obvert.metrics.revisited`."""


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """Pictures with classes; nothing is read yet."""

    paths: Sequence[Path | Stored]
    """Where each of N pictures lies: a file, or a part of one."""
    labels: list[int]
    """Of each picture, an index into `classes`."""
    classes: list[str]
    """Names as people say them."""
    queries: list[int] | None = None
    """Rows that search; all rows search all others when None."""
    gallery: list[int] | None = None
    """Rows that are searched; must be given when `queries` is."""
    judged: Mapping[str, Judged] = field(default_factory=dict)
    """{level: what `queries` should find}; what shares their class when empty."""


@dataclass(frozen=True, kw_only=True)
class TextSet:
    """Texts in groups: several that say the same, or that are of one class."""

    texts: list[str]
    """N texts."""
    groups: list[int]
    """Of each text, the group it belongs to, counted from 0."""
    queries: list[int] | None = None
    """Rows that search; the first of each group searches all texts that are not first when None."""
    gallery: list[int] | None = None
    """Rows that are searched; must be given when `queries` is."""
    judged: Mapping[str, Judged] = field(default_factory=dict)
    """{level: what `queries` should find}; what shares their group when empty."""
