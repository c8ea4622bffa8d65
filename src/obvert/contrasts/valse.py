"""VALSE: captions against foils for eleven linguistic phenomena.

Layout: ROOT/PIECE.json, each {id: {"caption", "foil", "image_file", "dataset", "mturk": {"caption": votes}}}; only items whose
caption, and not its foil, was chosen by two of three annotators or more are valid. Pictures come from several collections: each
is looked for in the folder itself, then in the folder of its collection. Its publishers report the accuracy of each piece and
their plain mean.

References:
    | VALSE: A Task-Independent Benchmark for Vision and Language Models Centered on Linguistic Phenomena
    | (Parcalabescu et al., 2022), https://arxiv.org/abs/2112.07566
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from obvert.contrasts._items import Asked, Item, beside, entries, gathered, said
from obvert.core import Contrast, ContrastSet, ObvertError

CHANGES = {
    "actant-swap": ("swap", "object"),
    "action-replacement": ("replace", "relation"),
    "coreference-hard": ("", ""),
    "coreference-standard": ("", ""),
    "counting-adversarial": ("replace", "number"),
    "counting-hard": ("replace", "number"),
    "counting-small-quant": ("replace", "number"),
    "existence": ("", ""),
    "foil-it": ("replace", "object"),
    "plurals": ("", ""),
    "relations": ("replace", "relation"),
}
"""{piece: operator and atom, empty where the foil is made otherwise}."""
VARIANTS = tuple(CHANGES)
VOTES = 2
"""Annotators, of three, who must have chosen the caption alone."""


def read(root: Path, variant: str, images: Path | None) -> ContrastSet:
    """Read one piece or all; ObvertError names a missing or damaged file."""
    items = [pair for part in ([variant] if variant else VARIANTS) for pair in _part(root, part)]
    valid = [item for item, votes in items if votes >= VOTES]
    found = gathered("valse", valid, images, measures=("macro",))
    note = f"{len(items) - len(valid):,} of {len(items):,} items are not valid: fewer than {VOTES} annotators chose the caption"
    return replace(found, notes=(*found.notes, note)) if len(valid) < len(items) else found


def _part(root: Path, part: str) -> Iterator[tuple[Item, int]]:
    operator, atom = CHANGES[part]
    for place, entry in entries(beside(root, f"{part}.json")):
        *texts, file, collection = said(place, entry, "caption", "foil", "image_file", "dataset")
        try:
            votes = int(entry["mturk"]["caption"])
        except (KeyError, TypeError, ValueError) as error:
            raise ObvertError(f'{place}: need votes under "mturk", "caption", got {str(entry.get("mturk"))[:60]!r}') from error
        contrast = Contrast(texts=tuple(texts), category=part, operator=operator, atom=atom)
        yield Item(contrast=contrast, asked=(Asked(names=(file, f"{collection}/{file}")),)), votes
