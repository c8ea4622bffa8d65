"""BiVLC: SugarCrepe's captions and negatives, each with a picture of its own.

Layout: the Parquet files of its publishers, which hold the pictures; or ROOT/BiVLC.jsonl, .json or .csv with "image", "caption",
"negative_caption", "negative_image", "type" and "subtype", the pictures being names of files. Its publishers report scores from
image to text, from text to image and of the group, which are Winoground's text, image and group, of all items and of each type.

References:
    | BiVLC: Extending Vision-Language Compositionality Evaluation with Text-to-Image Retrieval (Miranda et al., 2024)
    | https://arxiv.org/abs/2406.09952
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from obvert.contrasts._items import Item, gathered, rows, said, with_pictures
from obvert.contrasts.sugarcrepe import ATOMS
from obvert.core import Contrast, ContrastSet

VARIANTS: tuple[str, ...] = ()
TEXTS, PICTURES = ("caption", "negative_caption", "type", "subtype"), ("image", "negative_image")


def read(root: Path, variant: str, images: Path | None) -> ContrastSet:
    """Read the items; ObvertError names a missing or damaged file."""
    return gathered("bivlc", _items(root), images, measures=("text", "image", "group"))


def _items(root: Path) -> Iterator[Item]:
    for place, entry in rows(root, "BiVLC", TEXTS, PICTURES):
        one, other, kind, of = (text.strip() for text in said(place, entry, *TEXTS))
        operator, atom = kind.lower(), ATOMS.get(of.lower()[:3], "")
        contrast = Contrast(texts=(one, other), right=((0,), (1,)), category=operator, operator=operator, atom=atom)
        yield with_pictures(place, entry, contrast, PICTURES)
