"""ImageNet 2012: validation pictures search the training pictures.

Layout: ROOT/imagenet/images/{train,val}/WNID/picture.JPEG, and ROOT/imagenet/classnames.txt with lines "WNID name".

References:
    | ImageNet Large Scale Visual Recognition Challenge (Russakovsky et al., 2015)
    | https://arxiv.org/abs/1409.0575
"""

from __future__ import annotations

from pathlib import Path

from obvert.core import ObvertError, PictureSet
from obvert.datasets._files import find_pictures, folder, rows

VARIANTS: tuple[str, ...] = ()


def read(root: Path, variant: str = "") -> PictureSet:
    """Find the pictures; ObvertError names a missing file or a folder without a name."""
    place = folder(root / "imagenet")
    names = dict(rows(place / "classnames.txt", 2))
    index = {wnid: i for i, wnid in enumerate(names)}
    asked, searched = (find_pictures(folder(place / "images" / part)) for part in ("val", "train"))
    both = [*asked, *searched]
    if strange := [wnid for _, wnid in both if wnid not in index]:
        raise ObvertError(f"{place / 'classnames.txt'}: need a line for {strange[0]}, got none")
    return PictureSet(
        paths=[path for path, _ in both],
        labels=[index[wnid] for _, wnid in both],
        classes=list(names.values()),
        queries=list(range(len(asked))),
        gallery=list(range(len(asked), len(both))),
    )
