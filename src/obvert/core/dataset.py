"""A labelled set of pictures on disk, and who searches whom in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """Picture files with classes; nothing is read yet."""

    paths: list[Path]
    """N files."""
    labels: list[int]
    """Of each file, an index into `classes`."""
    classes: list[str]
    """Names as people say them."""
    queries: list[int] | None = None
    """Rows that search; all rows search all others when None."""
    gallery: list[int] | None = None
    """Rows that are searched; must be given when `queries` is."""
