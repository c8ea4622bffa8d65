"""What'sUp: photographs in which only the place of one thing beside another changes; and the same question of known collections.

Layout: ROOT/controlled_{images,clevr}_dataset.json of [{"image_path", "caption_options"}], four options, the first is right;
ROOT/{coco,vg}_qa_{one,two}_obj.json of [[number of the picture, right, wrong], ...]. Pictures lie in controlled_images/,
controlled_clevr/, val2017/ and vg_images/, or all in the folder itself. Its publishers report accuracy and, of the controlled
photographs, the share of pairs (left with right, on with under, front with behind) and of sets of four that are right throughout.

References:
    | What's "up" with vision-language models? Investigating their struggle with spatial reasoning (Kamath et al., 2023)
    | https://arxiv.org/abs/2310.19785
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from obvert.contrasts._items import Asked, Item, beside, entries, gathered, said
from obvert.core import Contrast, ContrastSet, ObvertError

CONTROLLED = ("controlled_images", "controlled_clevr")
FOLDERS = {"coco_qa_one_obj": "val2017", "coco_qa_two_obj": "val2017", "vg_qa_one_obj": "vg_images", "vg_qa_two_obj": "vg_images"}
VARIANTS = (*CONTROLLED, *FOLDERS)
PLACES = ("left", "right", "on", "under", "front", "behind", "above", "below", "top", "bottom")
"""Words that say where a thing is; the two of a pair follow each other."""
SET = 4
"""Photographs of the same two things."""


def read(root: Path, variant: str, images: Path | None) -> ContrastSet:
    """Read one part or all; ObvertError names a missing or damaged file."""
    parts = [variant] if variant else VARIANTS
    items = (item for part in parts for item in (_controlled(root, part) if part in CONTROLLED else _asked(root, part)))
    found = gathered("whatsup", items, images, measures=("micro",))
    together, notes = _together(found.items)
    if not any(together.values()):
        return replace(found, notes=(*found.notes, *notes))
    return replace(found, measures=("micro", *together), together=together, notes=(*found.notes, *notes))


def _controlled(root: Path, part: str) -> Iterator[Item]:
    for place, entry in entries(beside(root, f"{part}_dataset.json")):
        (file,) = said(place, entry, "image_path")
        texts = entry.get("caption_options")
        if not isinstance(texts, list) or len(texts) < 2 or not all(isinstance(text, str) for text in texts):
            raise ObvertError(f'{place}: need two texts or more under "caption_options", got {str(texts)[:60]!r}')
        name = file.removeprefix("data/")
        yield _item(part, texts, name, name.rpartition("/")[2])


def _asked(root: Path, part: str) -> Iterator[Item]:
    for place, entry in entries(beside(root, f"{part}.json")):
        texts = said(place, entry, 1, 2)
        number = str(entry[0])
        name = f"{number.zfill(12) if part.startswith('coco') else number}.jpg"
        yield _item(part, texts, f"{FOLDERS[part]}/{name}", name)


def _item(part: str, texts: Sequence[str], *names: str) -> Item:
    right, *wrong = (set(re.findall(r"\w+", text.lower())) for text in texts)
    atom = next((word for word in PLACES if word in right and not all(word in other for other in wrong)), "relation")
    contrast = Contrast(texts=tuple(texts), category=part, operator="replace", atom=atom)
    return Item(contrast=contrast, asked=(Asked(names=names),))


def _together(items: Sequence[Contrast]) -> tuple[dict[str, list[tuple[int, ...]]], list[str]]:
    """Rows of the pairs and sets of photographs that offer the same texts, and a note of what is not whole."""
    found: dict[tuple[str, frozenset[str]], dict[str, int]] = {}
    for row, item in enumerate(items):
        if item.category in CONTROLLED:
            found.setdefault((item.category, frozenset(item.texts)), {}).setdefault(item.texts[0], row)  # repeated: the first
    sets = [tuple(rows.values()) for rows in found.values()]
    whole = [rows for rows in sets if len(rows) == SET]
    pairs = [tuple(rows[i] for i in two) for rows in sets for two in _pairs([items[row].atom for row in rows])]
    notes = [f"{len(whole):,} of {len(sets):,} sets of {SET} photographs are whole"] if len(whole) < len(sets) else []
    return {name: rows for name, rows in (("pair", pairs), ("set", whole)) if rows}, notes


def _pairs(places: Sequence[str]) -> list[tuple[int, int]]:
    """Of the places of a set, those that are each other's opposite."""
    pairs = zip(PLACES[::2], PLACES[1::2], strict=True)
    return [(places.index(one), places.index(other)) for one, other in pairs if one in places and other in places]
