"""SugarCrepe: a caption against one hard negative, seven ways of making it.

Layout: ROOT/{add,replace,swap}_{att,obj,rel}.json, each {index: {"filename", "caption", "negative_caption"}}; pictures are those
of COCO 2017's validation set. Its publishers report the accuracy of each of the seven and their plain mean.

References:
    | SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality (Hsieh et al., 2023)
    | https://arxiv.org/abs/2306.14610
"""

from __future__ import annotations

from pathlib import Path

from obvert.contrasts._items import Asked, Item, beside, entries, gathered, said
from obvert.core import Contrast, ContrastSet

VARIANTS = ("add_att", "add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj")
ATOMS = {"att": "attribute", "obj": "object", "rel": "relation"}


def read(root: Path, variant: str, images: Path | None) -> ContrastSet:
    """Read one part or all; ObvertError names a missing or damaged file."""
    parts = [variant] if variant else VARIANTS
    return gathered("sugarcrepe", (item for part in parts for item in _part(root, part)), images, measures=("macro",))


def _part(root: Path, part: str) -> list[Item]:
    operator, atom = part.split("_")
    found = []
    for place, entry in entries(beside(root, f"{part}.json")):
        file, *texts = said(place, entry, "filename", "caption", "negative_caption")
        contrast = Contrast(texts=tuple(texts), category=part, operator=operator, atom=ATOMS[atom])
        found.append(Item(contrast=contrast, asked=(Asked(names=(file,)),)))
    return found
