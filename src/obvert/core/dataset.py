"""Labelled sets of pictures or texts, and who searches whom in them."""

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


@dataclass(frozen=True, kw_only=True)
class TextSet:
    """Texts in groups, several that say the same: the first of each group searches all texts that are not first."""

    texts: list[str]
    """N texts."""
    groups: list[int]
    """Of each text, the group it belongs to, counted from 0."""
