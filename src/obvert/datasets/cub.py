"""Caltech-UCSD Birds 200-2011: every picture searches all others.

Layout: ROOT/CUB_200_2011/{images/, images.txt, image_class_labels.txt, classes.txt}.

References:
    | The Caltech-UCSD Birds-200-2011 Dataset (Wah et al., 2011)
    | https://www.vision.caltech.edu/datasets/cub_200_2011
"""

from __future__ import annotations

from pathlib import Path

from obvert.core import ObvertError, PictureSet
from obvert.datasets._files import folder, rows

VARIANTS: tuple[str, ...] = ()


def read(root: Path, variant: str = "") -> PictureSet:
    """Find the pictures; ObvertError names a missing file."""
    place = folder(root / "CUB_200_2011")
    files = dict(rows(place / "images.txt", 2))
    named = dict(rows(place / "classes.txt", 2))
    classes = {key: i for i, key in enumerate(named)}
    of = dict(rows(place / "image_class_labels.txt", 2))
    if missing := [key for key in files if of.get(key) not in classes]:
        raise ObvertError(f"{place / 'image_class_labels.txt'}: need a class of classes.txt for image {missing[0]}")
    return PictureSet(
        paths=[place / "images" / file for file in files.values()],
        labels=[classes[of[key]] for key in files],
        classes=[name.partition(".")[2].replace("_", " ") or name for name in named.values()],
    )
