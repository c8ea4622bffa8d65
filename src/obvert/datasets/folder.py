"""Plain folders, FOLDER/CLASS/picture.jpg: every picture searches all others."""

from __future__ import annotations

from pathlib import Path

from obvert.core import PictureSet
from obvert.io import find_pictures

VARIANTS: tuple[str, ...] = ()


def read(root: Path, variant: str = "") -> PictureSet:
    """Find the pictures; PictureError when there are none."""
    found = find_pictures(root)
    classes = sorted({name for _, name in found})
    place = {name: i for i, name in enumerate(classes)}
    return PictureSet(paths=[path for path, _ in found], labels=[place[name] for _, name in found], classes=classes)
