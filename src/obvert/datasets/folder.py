"""Plain folders, FOLDER/CLASS/picture.jpg: every picture searches all others.

Pictures may lie deeper (FOLDER/CLASS/any/picture.jpg); hidden files and folders are left out.
"""

from __future__ import annotations

from pathlib import Path

from obvert.core import PictureSet
from obvert.datasets._files import find_pictures

VARIANTS: tuple[str, ...] = ()


def read(root: Path, variant: str = "") -> PictureSet:
    """Find the pictures; PictureError when the folder is missing, is a file, or has no class folder with pictures."""
    found = find_pictures(root)
    classes = sorted({name for _, name in found})
    place = {name: i for i, name in enumerate(classes)}
    return PictureSet(paths=[path for path, _ in found], labels=[place[name] for _, name in found], classes=classes)
