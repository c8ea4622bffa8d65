"""COLA, multi-object setting: two pictures whose objects and attributes are paired the other way round.

Layout: ROOT/COLA_multiobjects_matching_benchmark.json, [[link to picture 1, caption 1, link to picture 2, caption 2], ...];
pictures are looked for by the last part of their links. Its publishers report the image score: of both captions the right
picture is chosen.

References:
    | COLA: How to adapt vision-language models to Compose Objects Localized with Attributes? (Ray et al., 2023)
    | https://arxiv.org/abs/2305.03689
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from obvert.contrasts._items import Asked, Item, beside, entries, gathered, said
from obvert.core import Contrast, ContrastSet

VARIANTS: tuple[str, ...] = ()


def read(root: Path, variant: str, images: Path | None) -> ContrastSet:
    """Read the pairs; ObvertError names a missing or damaged file."""
    return gathered("cola", _pairs(root), images, measures=("image",))


def _pairs(root: Path) -> Iterator[Item]:
    for place, entry in entries(beside(root, "COLA_multiobjects_matching_benchmark.json")):
        first, one, second, other = said(place, entry, 0, 1, 2, 3)
        contrast = Contrast(texts=(one, other), right=((0,), (1,)), operator="swap", atom="attribute")
        yield Item(contrast=contrast, asked=tuple(Asked(names=(link.rpartition("/")[2],)) for link in (first, second)))
