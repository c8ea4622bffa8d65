"""Contrasts: texts that differ in one thing, and the pictures that tell which of them is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One item of a benchmark: which texts are right of which picture."""

    texts: tuple[str, ...]
    """What is told apart; a right one first."""
    right: tuple[tuple[int, ...], ...] = ((0,),)
    """Of each picture, or of the one that is not at hand, the texts that are right."""
    pictures: tuple[Any, ...] = ()
    """As `obvert.io.read_images` takes them: one with one wrong text or more, two with two texts; none where only texts are at
    hand."""
    category: str = ""
    """As the benchmark names it."""
    operator: str = ""
    """What makes the wrong text of the right one: swap, replace or add; empty where nobody knows."""
    atom: str = ""
    """What it was done to: object, attribute or relation, or a finer name such as colour; empty where nobody knows."""
    depth: int = 1
    """How many operators were applied, one after the other."""

    @property
    def crossed(self) -> bool:
        """Whether each text has a picture of its own: two by two."""
        return len(self.right) == len(self.texts) == 2 and self.right == ((0,), (1,))


@dataclass(frozen=True, kw_only=True)
class ContrastSet:
    """A benchmark of contrasts."""

    name: str
    items: Sequence[Contrast]
    missing: int = 0
    """Items left out since their pictures were not there."""
    notes: tuple[str, ...] = field(default=())
    """What a reader must know of it: what was left out and why."""
    measures: tuple[str, ...] = ("micro",)
    """What its publishers report: micro, macro; text, image, group of crossed items; itt, tot; or a name of `together`."""
    averaged: tuple[str, ...] | None = None
    """Categories whose plain mean is its macro; all of them when None."""
    together: Mapping[str, Sequence[tuple[int, ...]]] = field(default_factory=dict)
    """{measure: rows of items that count as one, right where all of them are}."""
