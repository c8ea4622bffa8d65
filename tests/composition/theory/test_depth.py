"""Depth: Stirling's numbers, orbits against them, and margins where an encoder's answer is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor

from obvert.composition.operators import Vocabulary, edits
from obvert.composition.orbits import orbit
from obvert.composition.repair.miner import Miner
from obvert.composition.text.parsing import from_template, parser
from obvert.composition.theory.depth import arrangements, hardest_margins, random_margins
from obvert.core import ObvertError
from obvert.zoo.scenes import caption, sample

READ = parser("scenes")
SAID = [READ(caption(scene)) for scene in sample(40, 5, things=2)]
VOCABULARY = Vocabulary.of(SAID)
WORDS = sorted({word for sentence in SAID for word in sentence.text.split()})


def counts(texts: Sequence[str]) -> Tensor:
    """A bag of words: how often each word stands in a text."""
    return torch.tensor([[text.split().count(word) for word in WORDS] for text in texts], dtype=torch.float64)


def places(texts: Sequence[str]) -> Tensor:
    """How many words stand at their place: each a number of its own, so that the margin counts the words that were changed."""
    return torch.stack([torch.tensor([float(w == v) for w in text.split()[:24] + [""] * (24 - len(text.split())) for v in WORDS])
                        for text in texts])  # fmt: skip


def searched(depth: int, **changes: Any) -> Miner:
    """A search that looks at all edits of a sentence."""
    return Miner(vocabulary=VOCABULARY, depth=depth, width=1000, **changes)


def cycles(order: Sequence[int]) -> int:
    """How many cycles a permutation has."""
    left, found = set(range(len(order))), 0
    while left:
        at, found = left.pop(), found + 1
        while (at := order[at]) in left:
            left.remove(at)
    return found


@pytest.mark.parametrize("atoms", [1, 2, 3, 4, 5, 6])
def test_arrangements_by_enumeration(atoms: int) -> None:
    away = [atoms - cycles(order) for order in permutations(range(atoms))]
    wanted = [sum(k <= depth for k in away) for depth in range(atoms)]
    assert arrangements(atoms, 9) == wanted
    assert arrangements(atoms, 9)[-1] == math.factorial(atoms)
    assert arrangements(atoms, 1) == wanted[:2]


@pytest.mark.parametrize("atoms", [2, 3, 4])
def test_orbits_grow_by_the_formula(atoms: int) -> None:
    nouns = ("cat", "dog", "bird", "horse")[:atoms]
    found = orbit(from_template(" behind ".join(f"a [object/animal:{noun}]" for noun in nouns)), 9)
    assert list(found.growth) == arrangements(atoms, 9)
    assert len({" ".join(sorted(s.text.split())) for s in found.sentences}) == 1  # a bag of words is blind to all of it


def test_a_bag_of_words_has_no_margin_against_swaps_at_any_depth() -> None:
    found = hardest_margins(counts([s.text for s in SAID[:4]]), SAID[:4], counts, searched(2, operators=("swap",)))
    assert found[:, 0].abs().max() == 0
    drawn = random_margins(counts([s.text for s in SAID[:4]]), SAID[:4], counts, VOCABULARY, depth=1, count=50, seed=0)
    assert (drawn > 0).all()  # replacements are told


def test_margins_that_count_changed_words_grow_when_drawn_and_less_when_searched() -> None:
    said = SAID[:6]
    pictures = places([s.text for s in said])
    drawn = random_margins(pictures, said, places, VOCABULARY, depth=3, count=6, seed=0)
    hardest = hardest_margins(pictures, said, places, searched(3))
    assert drawn.shape == hardest.shape == (6, 3)
    assert drawn[:, 0].mean() < drawn[:, 1].mean() < drawn[:, 2].mean()
    assert (hardest <= drawn).all()
    assert (hardest[:, 0] == 1).all()  # one word replaced
    assert (hardest[:, 1] <= 2).all()


def test_the_hardest_of_depth_one_is_the_least_of_all_edits() -> None:
    said = SAID[:3]
    pictures = counts([s.text for s in said]) + torch.randn(3, len(WORDS), generator=torch.Generator().manual_seed(0))
    found = hardest_margins(pictures, said, counts, searched(1))[:, 0]
    for picture, sentence, margin in zip(pictures, said, found, strict=True):
        every = counts([sentence.text, *(edit.after.text for edit in edits(sentence, VOCABULARY))]) @ picture
        assert margin == pytest.approx((every[0] - every[1:].max()).item())


def test_a_wider_beam_finds_what_is_at_least_as_hard() -> None:
    said = SAID[:4]
    pictures = counts([s.text for s in said]) + torch.randn(4, len(WORDS), generator=torch.Generator().manual_seed(1))
    narrow, wide = (hardest_margins(pictures, said, counts, searched(2, beam=beam)) for beam in (1, 60))
    assert (wide[:, 1] <= narrow[:, 1]).all()


def test_a_sentence_without_edits_has_no_margin() -> None:
    alone = [from_template("a [object:cat]")]
    nothing = Vocabulary(words={})
    assert hardest_margins(counts(["a cat"]), alone, counts, Miner(vocabulary=nothing, depth=2)).isnan().all()
    assert random_margins(counts(["a cat"]), alone, counts, nothing, depth=1, count=2, seed=0).isnan().all()


def test_numbers_that_count_nothing_are_refused() -> None:
    with pytest.raises(ObvertError, match="an atom or more"):
        arrangements(0, 1)
