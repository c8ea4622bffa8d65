"""The encoder of bags: blind to order to the last bit, exact on what it was taught, right on what a bag decides."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from obvert.composition import bag_encoder
from obvert.core import ObvertError

WORDS = ("red", "blue", "green", "cat", "dog", "bird", "on", "under")
TEXTS = [" ".join(chosen) for size in (2, 3, 4) for chosen in itertools.combinations(WORDS, size)]
VECTORS = torch.randn(len(WORDS), 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TAUGHT = normalize(bag_encoder.count(TEXTS, {word: i for i, word in enumerate(WORDS)}) @ VECTORS, dim=1).float()
ENCODER = bag_encoder.fit(TEXTS, TAUGHT)


@given(st.permutations(("red", "cat", "on", "blue", "dog")))
def test_no_order_of_the_words_matters(order: list[str]) -> None:
    said = ENCODER(["A red cat, on (blue) dog!", "green bird", " ".join(order)])
    assert torch.equal(said[0], said[2])
    assert not torch.equal(said[0], said[1])
    torch.testing.assert_close(said.norm(dim=1), torch.ones(3))


def test_it_says_what_it_was_taught() -> None:
    assert bag_encoder.explained(ENCODER(TEXTS), TAUGHT) > 0.99
    torch.testing.assert_close(ENCODER(TEXTS[:3]), ENCODER(TEXTS)[:3])


def test_it_says_what_bags_tell_of_others() -> None:
    half = torch.randperm(len(TEXTS), generator=torch.Generator().manual_seed(1)).tolist()
    seen, others = half[: len(half) * 3 // 4], half[len(half) * 3 // 4 :]
    learned = bag_encoder.fit([TEXTS[i] for i in seen], TAUGHT[seen])
    assert bag_encoder.explained(learned([TEXTS[i] for i in others]), TAUGHT[others]) > 0.9
    noise = normalize(torch.randn(len(TEXTS), 6, generator=torch.Generator().manual_seed(2)), dim=1)
    mistaken = bag_encoder.fit([TEXTS[i] for i in seen], noise[seen])
    assert bag_encoder.explained(mistaken([TEXTS[i] for i in others]), noise[others]) < 0.3


def test_texts_of_one_bag_are_taught_as_their_mean() -> None:
    doubled = [*TEXTS, *(" ".join(reversed(text.split())) for text in TEXTS)]
    turned = normalize(TAUGHT.flip(1) + TAUGHT, dim=1)
    learned = bag_encoder.fit(doubled, torch.cat((TAUGHT, turned)))
    middle = normalize((TAUGHT + turned) / 2, dim=1)
    assert bag_encoder.explained(learned(TEXTS), middle) > 0.97


def test_unknown_words_are_not_counted() -> None:
    assert torch.equal(ENCODER(["red cat"])[0], ENCODER(["red zebra cat"])[0])


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ObvertError, match="need 10 different bags of words"):
        bag_encoder.fit(["a b", "b a"] * 20, torch.eye(40))
    with pytest.raises(ObvertError, match="got 154 and 3"):
        bag_encoder.fit(TEXTS, TAUGHT[:3])
    assert torch.isnan(torch.tensor(bag_encoder.explained(TAUGHT[:1], TAUGHT[:1])))
