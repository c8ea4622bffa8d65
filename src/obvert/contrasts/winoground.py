"""Winoground: two pictures and two captions of the same words in another order.

Layout: ROOT/examples.jsonl of {"caption_0", "caption_1", "image_0", "image_1", "collapsed_tag"}, pictures being IMAGE.png; or the
Parquet files of its publishers, which hold the pictures. Its publishers report the text, image and group scores, of all items and
of those whose objects, relations or both are swapped.

References:
    | Winoground: Probing Vision and Language Models for Visio-Linguistic Compositionality (Thrush et al., 2022)
    | https://arxiv.org/abs/2204.03162
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from obvert.contrasts._items import Item, gathered, rows, said, with_pictures
from obvert.core import Contrast, ContrastSet

VARIANTS: tuple[str, ...] = ()
TEXTS, PICTURES = ("caption_0", "caption_1", "collapsed_tag"), ("image_0", "image_1")


def read(root: Path, variant: str, images: Path | None) -> ContrastSet:
    """Read the items; ObvertError names a missing or damaged file."""
    return gathered("winoground", _items(root), images, measures=("text", "image", "group"))


def _items(root: Path) -> Iterator[Item]:
    for place, entry in rows(root, "examples", TEXTS, PICTURES):
        one, other, tag = said(place, entry, *TEXTS)
        atom = tag.lower() if tag in ("Object", "Relation") else ""
        contrast = Contrast(texts=(one, other), right=((0,), (1,)), category=tag, operator="swap", atom=atom)
        yield with_pictures(place, entry, contrast, PICTURES, suffixes=(".png", ".jpg", ""))
