"""Revisited Oxford and Paris: query pictures, cropped to the building, search a database that they are no part of.

Layout: ROOT/roxford5k/{gnd_roxford5k.pkl, jpg/} and ROOT/rparis6k/{gnd_rparis6k.pkl, jpg/}. Of each query the pickle lists
easy, hard and junk pictures of the database. Easy: easy ones are right and hard ones junk; medium: both are right; hard:
hard ones are right and easy ones junk. Queries without a right picture at a level are undefined there. Class names are
the tags by which the pictures were once found, all that their file names tell.

References:
    | Revisiting Oxford and Paris: Large-Scale Image Retrieval Benchmarking (Radenovic et al., 2018)
    | https://arxiv.org/abs/1803.11285
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obvert.core import Judged, ObvertError, PictureSet, Stored
from obvert.datasets._files import folder
from obvert.datasets._unpickle import unpickle
from obvert.io import PictureError, read_images

if TYPE_CHECKING:
    from torch import Tensor

VARIANTS = ("roxford5k", "rparis6k")
LEVELS = {"easy": (("easy",), ("junk", "hard")), "medium": (("easy", "hard"), ("junk",)), "hard": (("hard",), ("junk", "easy"))}
"""{level: (lists that are right, lists that are junk)}."""


@dataclass(frozen=True)
class Crop:
    """A part of a picture file."""

    file: Path
    box: tuple[float, float, float, float]
    """Left, top, right and bottom in pixels of the upright picture, rounded when it is read."""

    def fetch(self) -> Tensor:
        """The part, (3, h, w); PictureError when the picture cannot be read or the box is empty."""
        (picture,) = read_images(self.file)
        height, width = picture.shape[1:]
        left, top, right, bottom = map(round, self.box)
        part = picture[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        if not part.numel():
            raise PictureError(f"{self}: need a box within {width} x {height} pixels, got none of them")
        return part.contiguous()

    def __str__(self) -> str:
        return f"{self.file} [{', '.join(f'{side:g}' for side in self.box)}]"


def read(root: Path, variant: str) -> PictureSet:
    """Find the pictures; ObvertError names a missing or damaged file."""
    place = folder(root / variant)
    truth = place / f"gnd_{variant}.pkl"
    table = unpickle(truth)
    try:
        names, asked = ([str(name) for name in table[key]] for key in ("imlist", "qimlist"))
        marks = [{kind: [int(i) for i in of[kind]] for kind in ("easy", "hard", "junk")} for of in table["gnd"]]
        boxes = [_box(of["bbx"]) for of in table["gnd"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ObvertError(f"{truth}: need imlist, qimlist and gnd with easy, hard, junk and bbx, got {error!r}") from error
    if len(marks) != len(asked) or not names:
        raise ObvertError(f"{truth}: need pictures and one gnd a query, got {len(names)} and {len(marks)} for {len(asked)}")
    if strange := [i for of in marks for kind in of.values() for i in kind if not 0 <= i < len(names)]:
        raise ObvertError(f"{truth}: need a picture of imlist, numbered below {len(names)}, got {strange[0]}")
    pictures = folder(place / "jpg")
    crops: list[Path | Stored] = [Crop(pictures / f"{name}.jpg", box) for name, box in zip(asked, boxes, strict=True)]
    tags = [name.rpartition("_")[0].replace("_", " ") or name for name in (*asked, *names)]
    index = {tag: i for i, tag in enumerate(sorted(set(tags)))}

    def rows(kinds: Sequence[str]) -> list[list[int]]:
        return [[len(asked) + i for kind in kinds for i in of[kind]] for of in marks]

    return PictureSet(
        paths=[*crops, *(pictures / f"{name}.jpg" for name in names)],
        labels=[index[tag] for tag in tags],
        classes=list(index),
        queries=list(range(len(asked))),
        gallery=list(range(len(asked), len(tags))),
        judged={
            level: Judged(relevant=rows(right), junk=rows(junk), trapezoidal=True) for level, (right, junk) in LEVELS.items()
        },
    )


def _box(sides: Any) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(side) for side in sides)
    return left, top, right, bottom
