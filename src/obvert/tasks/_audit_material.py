"""What a model is audited on: contrasts, captions that say the same, texts for the text tower alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from obvert.composition.scene_pairs import TEST, TRAIN, scene_pairs
from obvert.contrasts import read
from obvert.core import Contrast, ContrastSet, Stored


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a model is audited on."""

    contrasts: ContrastSet
    """Right and wrong texts, with their pictures where they are at hand."""
    again: ContrastSet
    """Two right texts that say the same, and a wrong one; its category says how it is said again."""
    captions: Sequence[str]
    """Different texts, for what is asked of the text tower alone."""
    lessons: ContrastSet | None = None
    """Pairs, two by two, that a linear map may learn from; None cuts those of `contrasts` in two."""
    counted: dict[str, int] = field(default_factory=dict)
    """What is odd about the captions, and how many are."""
    warnings: tuple[str, ...] = ()
    """What a reader must know before trusting the results."""

    @property
    def name(self) -> str:
        """Of the contrasts."""
        return self.contrasts.name

    def digest(self) -> str:
        """Hash of what is asked, pictures by their places: two audits of the same digest can be compared item by item."""
        told = hashlib.sha256()
        for item in (*self.contrasts.items, *self.again.items):
            where = [str(p) if isinstance(p, str | Path | Stored) else tuple(getattr(p, "shape", ())) for p in item.pictures]
            told.update(repr((item.texts, item.right, where, item.category)).encode())
        return told.hexdigest()


def from_scenes(count: int) -> Material:
    """Perfect pairs of held-out Scenes, so many of each operator, atom and depth, and as many others for linear maps."""
    contrasts, again = scene_pairs(count, TEST)
    lessons, _ = scene_pairs(count, TRAIN)
    return Material(contrasts=contrasts, again=again, captions=right_texts(contrasts), lessons=lessons)


def from_benchmark(name: str, root: Path, images: Path | None) -> Material:
    """A benchmark of the user's files, see `obvert.contrasts.read`."""
    found = read(name, root, images)
    again = [item for item in found.items if len(item.texts) == 3 and item.right == ((0, 1),)]
    return Material(
        contrasts=found,
        again=ContrastSet(name=found.name, items=again),
        captions=right_texts(found),
        warnings=found.notes,
    )


def right_texts(contrasts: ContrastSet) -> list[str]:
    """Every different text that is the first right one of a picture."""
    return list(dict.fromkeys(item.texts[right[0]] for item in contrasts.items for right in item.right))


def first_of(item: Contrast) -> tuple[str, str]:
    """A right text and a wrong one of the first picture."""
    right = item.right[0]
    return item.texts[right[0]], next(text for i, text in enumerate(item.texts) if i not in right)
