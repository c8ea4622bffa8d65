"""SugarCrepe++: two captions that say the same in other words, against a negative that says another thing in the same words.

Layout: ROOT/{replace,swap}_{att,obj,rel}.json, each [{"id", "filename", "caption", "caption2", "negative_caption"}]; pictures are
those of COCO 2017's validation set. Its publishers report of each part ITT, the share of pictures nearer to both captions than to
the negative, and TOT, the share of captions nearer to each other than to the negative: `obvert.metrics.itt` and `tot`.

References:
    | SUGARCREPE++ Dataset: Vision-Language Model Sensitivity to Semantic and Lexical Alterations (Dumpala et al., 2024)
    | https://arxiv.org/abs/2406.11171
"""

from __future__ import annotations

from pathlib import Path

from obvert.contrasts._items import Asked, Item, beside, entries, gathered, said
from obvert.contrasts.sugarcrepe import ATOMS
from obvert.core import Contrast, ContrastSet

VARIANTS = ("replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj")


def read(root: Path, variant: str, images: Path | None) -> ContrastSet:
    """Read one part or all; ObvertError names a missing or damaged file."""
    parts = [variant] if variant else VARIANTS
    return gathered("sugarcrepe-pp", (item for part in parts for item in _part(root, part)), images, measures=("itt", "tot"))


def _part(root: Path, part: str) -> list[Item]:
    operator, atom = part.split("_")
    found = []
    for place, entry in entries(beside(root, f"{part}.json")):
        file, *texts = said(place, entry, "filename", "caption", "caption2", "negative_caption")
        contrast = Contrast(texts=tuple(texts), right=((0, 1),), category=part, operator=operator, atom=ATOMS[atom])
        found.append(Item(contrast=contrast, asked=(Asked(names=(file,)),)))
    return found
