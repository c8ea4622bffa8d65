"""Bags of words: by hand, by what must not change them, and against what is known of the published captions."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from obvert.composition.bag import bag, bag_decidable, ceiling, ideal_scores, overlap, overlaps
from obvert.contrasts import read
from obvert.core import Contrast
from obvert.metrics import by_category, macro, tally, tot

WORDS = st.lists(st.sampled_from(["a", "red", "cat", "dog", "sees", "man's"]), min_size=1, max_size=8)


def crossed(first: str, second: str) -> Contrast:
    return Contrast(texts=(first, second), right=((0,), (1,)))


def test_by_hand() -> None:
    assert bag("A dog, and a (BIG) dog!") == {"a": 2, "dog": 2, "and": 1, "big": 1}
    assert bag("the man's hat") == bag("THE MAN’S HAT.") == {"the": 1, "man's": 1, "hat": 1}
    assert bag("'quoted' black-and-white") == {"quoted": 1, "black": 1, "and": 1, "white": 1}
    assert bag("...") == {}


def test_the_ideal_scorer_ties_only_where_the_bags_are_equal() -> None:
    told, swapped = Contrast(texts=("a cat", "a dog")), Contrast(texts=("a cat sees a dog", "a dog sees a cat"))
    assert (bag_decidable(told), bag_decidable(swapped)) == (True, False)
    assert ideal_scores(told).tolist() == [[1, 0]]
    assert ideal_scores(swapped).tolist() == [[1, 1]]
    several = Contrast(texts=("cat dog", "cat", "dog", "dog cat"))
    two_right = Contrast(texts=("a cat", "one cat", "cat a"), right=((0, 1),))
    assert ceiling([told, swapped, several, two_right]).tolist() == pytest.approx([1, 0.5, 0.5, 1 / 3])
    assert ceiling([]).shape == (0,)


def test_of_crossed_contrasts_the_group_counts() -> None:
    told, tied = crossed("a cat", "a dog"), crossed("a cat sees a dog", "a dog sees a cat")
    assert (bag_decidable(told), bag_decidable(tied)) == (True, False)
    assert ideal_scores(told).tolist() == [[1, 0], [0, 1]]
    assert ceiling([told, tied]).tolist() == pytest.approx([1, 1 / 6])


@given(WORDS, st.randoms(use_true_random=False))
def test_order_is_lost_and_nothing_else(words: list[str], shuffler: random.Random) -> None:
    again = words.copy()
    shuffler.shuffle(again)
    text, other = " ".join(words), " ".join(again).upper() + "."
    assert bag(text) == bag(other)
    assert not bag_decidable(Contrast(texts=(text, other)))
    assert overlap(text, other) == 1
    assert bag_decidable(Contrast(texts=(text, f"{text} more")))


@given(WORDS, WORDS)
def test_the_overlap_is_the_squared_cosine(first: list[str], second: list[str]) -> None:
    names = sorted({*first, *second})
    a, b = ([words.count(name) for name in names] for words in (first, second))
    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
    assert float(overlap(" ".join(first), " ".join(second))) == pytest.approx(cosine**2)


def test_overlaps_come_as_the_measure_takes_them() -> None:
    items = [
        Contrast(texts=("a cat", "one cat", "a dog"), right=((0, 1),)),
        Contrast(texts=("a b", "a b", "b c"), right=((0, 1),)),
    ]
    assert overlaps(items).tolist() == [[0.25, 0.25, 0], [1, 0.25, 0.25]]
    assert tot(overlaps(items)).tolist() == pytest.approx([0.5, 1])
    assert overlap("", "a cat") == Fraction(0)


def test_sugarcrepe_as_published(shared_data: Path) -> None:
    found = read("sugarcrepe", shared_data / "sugarcrepe")
    credit = ceiling(found.items)
    tallies = by_category(credit, [item.category for item in found.items])
    assert len(found.items) == 7511
    assert {name: one.ties for name, one in tallies.items() if one.ties} == {"swap_att": 408, "swap_obj": 164}
    assert sum(not bag_decidable(item) for item in found.items) == tally(credit).ties == 572
    assert round(100 * tally(credit).accuracy, 1) == 96.2
    assert round(100 * macro(tallies).accuracy, 1) == 90.8
    assert round(100 * macro(tallies).strict, 1) == 81.7


def test_sugarcrepe_plus_plus_as_published(shared_data: Path) -> None:
    found = read("sugarcrepe-pp", shared_data / "sugarcrepepp")
    credit = tot(overlaps(found.items))
    assert (len(found.items), tally(credit).clear, tally(credit).ties) == (4755, 987, 126)
    same = 4757 - len(found.items)  # whose negative is the caption: nobody can be right there
    assert same == 2
    assert round(100 * tally(credit).clear / (len(found.items) + same), 1) == 20.7
    assert torch.isclose(credit.sum(), torch.tensor(1047 + 2 / 3, dtype=torch.float64))
