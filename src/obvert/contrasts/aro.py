"""ARO: whether a model knows attribution, relation and order; swapped captions of a part of a picture, and shuffled captions.

Layout: ROOT/visual_genome_{relation,attribution}.json, [{"true_caption", "false_caption", "image_path", "bbox_x", "bbox_y",
"bbox_w", "bbox_h", "relation_name" or "attributes"}], of each picture the box alone being shown; ROOT/coco_karpathy_test.json and
flickr30k_test.json, [{"image", "caption": [texts]}]; or, for "order", ROOT itself is any file of captions. Its publishers report
the plain mean over relations, the plain mean over pairs of attributes of 25 items or more, and of order the share of captions
that lie above their four shuffles.

References:
    | When and why vision-language models behave like bags-of-words, and what to do about it? (Yuksekgonul et al., 2023)
    | https://arxiv.org/abs/2210.01936
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from obvert.captions import stream_captions
from obvert.contrasts._items import Asked, Item, beside, entries, gathered, said
from obvert.contrasts._order import order
from obvert.core import Contrast, ContrastSet, ObvertError

ORDER = {"coco_order": "coco_karpathy_test.json", "flickr30k_order": "flickr30k_test.json"}
GENOME = {
    "vg_relation": ("visual_genome_relation.json", "object"),
    "vg_attribution": ("visual_genome_attribution.json", "attribute"),
}
"""{part: file, and what is swapped}."""
VARIANTS = (*GENOME, *ORDER, "order")
LEAST = {"vg_relation": 10, "vg_attribution": 25}
"""Items that a relation, or a pair of attributes, needs to count in the mean."""
SYMMETRIC = frozenset({"around", "beside", "by", "near", "next to", "of", "on the side of", "with"})
"""Relations that do not count in the mean: the swapped caption is often right as well."""
SEED = 0
"""Of the shuffles."""


def read(root: Path, variant: str, images: Path | None) -> ContrastSet:
    """Read one part; ObvertError names a missing or damaged file."""
    if not variant:
        raise ObvertError(f"need a part of aro, as in aro/{VARIANTS[0]}; there are {', '.join(VARIANTS)}")
    if variant not in GENOME:
        return _ordered(beside(root, ORDER[variant]) if variant in ORDER else root, images)
    found = gathered("aro", _genome(root, variant), images, measures=("macro",))
    counts = Counter(item.category for item in found.items)
    mean = [name for name, count in counts.items() if count >= LEAST[variant] and name not in SYMMETRIC]
    note = f"{len(mean) or len(counts)} of {len(counts)} categories count in the mean"
    why = f"those of {LEAST[variant]} items or more, but symmetric relations" if mean else "none has enough items, so all do"
    return replace(found, averaged=tuple(mean) or None, notes=(*found.notes, f"{note}: {why}"))


def _genome(root: Path, part: str) -> Iterator[Item]:
    file, atom = GENOME[part]
    for place, entry in entries(beside(root, file)):
        *texts, name = said(place, entry, "true_caption", "false_caption", "image_path")
        try:
            x, y, width, height = (round(entry[f"bbox_{side}"]) for side in "xywh")
            category = entry["relation_name"] if part == "vg_relation" else "_".join(entry["attributes"][:2])
        except (KeyError, TypeError, ValueError) as error:
            raise ObvertError(f"{place}: need a box, and a relation or attributes, got {str(entry)[:60]!r}") from error
        contrast = Contrast(texts=tuple(texts), category=str(category), operator="swap", atom=atom)
        yield Item(contrast=contrast, asked=(Asked(names=(name, f"images/{name}"), box=(x, y, width, height)),))


def _ordered(path: Path, images: Path | None) -> ContrastSet:
    given = list(stream_captions(path))
    there = [(file, caption) for file, caption in given if caption.strip()]
    pairs = list(dict.fromkeys(there))
    contrasts = zip(pairs, order([caption for _, caption in pairs], SEED), strict=True)
    items = [Item(contrast=contrast, asked=(Asked(names=(file,)),)) for (file, _), contrast in contrasts if contrast]
    found = gathered("aro", items, images, measures=("micro",))
    few = sum(len(item.texts) < 5 for item in found.items)
    told = {
        "captions left out, since they are empty": len(given) - len(there),
        "captions left out, since they repeat others of their picture": len(there) - len(pairs),
        "captions left out, since no shuffle changes them": len(pairs) - len(items),
    }
    notes = [f"{count:,} of {len(given):,} {why}" for why, count in told.items() if count]
    if few:
        notes.append(f"{few:,} of {len(found.items):,} captions have fewer than four shuffles that differ")
    return replace(found, notes=(*found.notes, *notes))
