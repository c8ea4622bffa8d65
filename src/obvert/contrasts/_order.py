"""Captions against their own words in another order.

Four shuffles: of the nouns and adjectives, each among their kind; of all other words; of the words within each three; of the
threes. All five texts are lower case without punctuation, so that nothing but order differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from obvert.core import Contrast

TRIES = 20
"""Shuffles drawn before a caption counts as one that none of this kind changes."""
COMMON = """
    a an the this that these those some any no each every and or but while as is are was were be been being has have had do does
    did to of in on at by for from with without into onto over under above below up down out off through across along around
    behind beside between near next front inside outside his her its their my your our he she it they i we you him them who which
    there not very so too also just
"""
"""The commonest function words."""
Span = tuple[int, int, str]
"""First character, the one after the last, and kind, of a noun or an adjective."""
Content = Callable[[str], Sequence[Span]]
"""Finds the nouns and adjectives of a text, in the order in which they stand."""


def words(text: str) -> list[Span]:
    """Every word but the commonest function words, as one kind: what stands in for nouns and adjectives without a parser."""
    common = frozenset(COMMON.split())
    return [(m.start(), m.end(), "content") for m in re.finditer(r"\S+", text) if m[0] not in common]


def order(captions: Sequence[str], seed: int, content: Content = words) -> list[Contrast | None]:
    """Captions against their own words in another order.

    Args:
        captions: any.
        seed: of the shuffles; a caption's do not depend on the others.
        content: finds nouns and adjectives, e.g. from the atoms that a parser of `obvert.composition` finds.

    Returns:
        For each caption the contrast of it and its shuffles, four or, where some change nothing, fewer; None where all do.
    """
    return [_shuffled(caption, np.random.default_rng([seed, i]), content) for i, caption in enumerate(captions)]


def _shuffled(caption: str, rng: np.random.Generator, content: Content) -> Contrast | None:
    text = " ".join(re.sub(r"[^\w\s'’-]", " ", caption.lower()).split())
    pieces, kinds = _pieces(text, content(text))
    named = [np.flatnonzero([kind == one for kind in kinds]) for one in dict.fromkeys(filter(None, kinds))]
    others = [np.flatnonzero([not kind for kind in kinds])]
    tokens = text.split()
    threes = [tokens[i : i + 3] for i in range(0, len(tokens), 3)]
    ways: tuple[Callable[[], Iterable[str]], ...] = (
        lambda: _exchanged(pieces, named, rng),
        lambda: _exchanged(pieces, others, rng),
        lambda: chain.from_iterable(_permuted(three, rng) for three in threes),
        lambda: chain.from_iterable(_permuted(threes, rng)),
    )
    shuffles = tuple(dict.fromkeys(made for way in ways if (made := _another(text, way))))
    return Contrast(texts=(text, *shuffles), category="order") if shuffles else None


def _another(text: str, way: Callable[[], Iterable[str]]) -> str:
    """The first shuffle that is not the text; empty where none is found."""
    for _ in range(TRIES):
        if (made := " ".join(way())) != text:
            return made
    return ""


def _pieces(text: str, spans: Sequence[Span]) -> tuple[list[str], list[str]]:
    """The spans and the words between them, in their order, with the kind of each; a word between has none."""
    pieces: list[str] = []
    kinds: list[str] = []
    end = 0
    for start, stop, kind in spans:
        between = text[end:start].split()
        pieces += [*between, text[start:stop]]
        kinds += [*("" for _ in between), kind]
        end = stop
    rest = text[end:].split()
    return pieces + rest, kinds + [""] * len(rest)


def _exchanged(pieces: list[str], groups: list[np.ndarray], rng: np.random.Generator) -> list[str]:
    """The pieces, those of each group of places shuffled among these places."""
    found = pieces.copy()
    for places in groups:
        for place, other in zip(places, rng.permutation(places), strict=True):
            found[place] = pieces[other]
    return found


def _permuted(things: list[Any], rng: np.random.Generator) -> list[Any]:
    return [things[i] for i in rng.permutation(len(things))]
