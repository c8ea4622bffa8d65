"""What a repair learns from: images, what is said of them, and what would be wrong to say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from obvert.composition.repair.images import CachedImages
from obvert.core import ObvertError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A picture with its text; or a real pair, two pictures with a text each, which is wrong of the other."""

    texts: tuple[str, ...]
    """One or two."""
    pictures: tuple[int, ...]
    """As many rows of the images."""
    wrong: tuple[tuple[str, int], ...] = ()
    """Further texts that are wrong of the first picture, each with how many operators made it."""
    again: tuple[str, ...] = ()
    """Texts that say the same as the first."""
    category: str = ""
    """Lessons are drawn from each category as often."""

    @property
    def crossed(self) -> bool:
        """Whether it is a real pair, two by two."""
        return len(self.texts) == 2


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """All of them."""

    images: CachedImages
    """That the lessons are about."""
    items: Sequence[Lesson]
    kept: Sequence[str] = ()
    """Texts whose features should stay where they are."""

    def __post_init__(self) -> None:
        if not self.items or any(len(one.texts) not in (1, 2) or len(one.texts) != len(one.pictures) for one in self.items):
            raise ObvertError(f"need lessons of one or two texts and as many pictures, got {len(self.items)} lessons")
        if not any(one.crossed or one.wrong for one in self.items):
            raise ObvertError("need real pairs or texts that are wrong of a picture to learn from, got none")

    @property
    def crossed(self) -> int:
        """How many real pairs there are."""
        return sum(one.crossed for one in self.items)

    def batch(self, rng: np.random.Generator, count: int, *, depth: int, wrong: int) -> Batch:
        """Draw lessons.

        Args:
            rng: of the draw.
            count: lessons; half as many texts to keep are drawn with them, and of a quarter a text that says the same is taken.
            depth: most operators that made a wrong text; where none is so near, the nearest ones are taken.
            wrong: most wrong texts of each picture, beside the other text of its pair.

        Returns:
            The batch.
        """
        by = self.by_category
        names = list(by)
        drawn = [self.items[_pick(rng, by[_pick(rng, names)])] for _ in range(count)]
        hard: list[list[str]] = []
        for one in drawn:
            near = [text for text, deep in one.wrong if deep <= max(depth, min(d for _, d in one.wrong))]
            mine = [near[i] for i in rng.permutation(len(near))[:wrong]]
            hard += [[one.texts[1], *mine], [one.texts[0]]] if one.crossed else [mine]
        again = [(one.texts[0], _pick(rng, one.again)) for one in drawn if one.again][: max(1, count // 4)]
        kept = [int(i) for i in rng.integers(len(self.kept), size=max(1, count // 2))] if self.kept else []
        return Batch(lessons=drawn, hard=hard, again=again, kept=kept)

    @cached_property
    def by_category(self) -> dict[str, list[int]]:
        """Rows of the lessons of each category."""
        by: defaultdict[str, list[int]] = defaultdict(list)
        for row, one in enumerate(self.items):
            by[one.category].append(row)
        return by


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Lessons of one step."""

    lessons: list[Lesson]
    hard: list[list[str]]
    """Of each picture its wrong texts."""
    again: list[tuple[str, str]]
    """Two texts that say the same."""
    kept: list[int]
    """Which texts should stay where they are."""

    @property
    def texts(self) -> list[str]:
        """The text of each picture."""
        return [text for one in self.lessons for text in one.texts]

    @property
    def pictures(self) -> list[int]:
        """Rows of the pictures."""
        return [row for one in self.lessons for row in one.pictures]

    @property
    def pairs(self) -> list[int]:
        """Where among the pictures each real pair begins."""
        starts = np.cumsum([0, *(len(one.texts) for one in self.lessons)])[:-1]
        return [int(at) for at, one in zip(starts, self.lessons, strict=True) if one.crossed]


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]
