"""Arrangements of Scenes that are kept out of a repair, so that what it learned can be asked of others.

Of all ways to pair two things, by the colours and the shapes they have between them, a quarter is unseen: no scene with these
colours and these shapes is ever learned from, whoever has which. Of all ways to lay two shapes out, in a row or in a column, an
eighth is unseen. A scene of two things is unseen when either holds; swapping anything between its things keeps it so.

    pairs:    36 pairs of colours x 36 pairs of shapes, less the 64 of one kind of thing     1,232, of which 308 are unseen
    layouts:  36 pairs of shapes x {row, column}                                                72, of which 9 are unseen
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement, product

import numpy as np

from obvert.zoo.scenes import COLOURS, SHAPES, Scene

Two = tuple[str, str]
"""Two names, in alphabetical order; one twice where both things have it."""


@cache
def unseen_pairs() -> frozenset[tuple[Two, Two]]:
    """Colours and shapes of two things that are never learned from together."""
    return _drawn([(c, s) for c, s in product(_twos(COLOURS), _twos(SHAPES)) if len({*c}) + len({*s}) > 2], 4)


@cache
def unseen_layouts() -> frozenset[tuple[Two, str]]:
    """Shapes of two things, and "row" or "column", in which they are never learned from."""
    return _drawn(list(product(_twos(SHAPES), ("row", "column"))), 8)


def unseen(scene: Scene) -> bool:
    """Whether a scene's arrangement is kept out of a repair; a scene of one thing never is."""
    if len(scene.things) == 1:
        return False
    first, second = scene.things
    shapes = _two(first.shape, second.shape)
    layout = "row" if scene.relation in {"left of", "right of"} else "column"
    return (_two(first.colour, second.colour), shapes) in unseen_pairs() or (shapes, layout) in unseen_layouts()


def _twos(names: tuple[str, ...]) -> list[Two]:
    return [_two(*pair) for pair in combinations_with_replacement(names, 2)]


def _two(one: str, other: str) -> Two:
    return (one, other) if one <= other else (other, one)


def _drawn(options: list, share: int) -> frozenset:
    """One in so many of the options, always the same."""
    order = np.random.default_rng(0).permutation(len(options))
    return frozenset(options[i] for i in order[: len(options) // share].tolist())
