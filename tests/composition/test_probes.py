"""Text-only probes of towers whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from obvert.composition.probes import explained, moved, order_variance, spread
from obvert.core import ObvertError

WORDS = ("cat", "dog", "bird", "tree", "cup", "ball")


def bag(texts: Sequence[str]) -> Tensor:
    """An exact bag of words."""
    counts = torch.tensor([[text.split().count(word) for word in WORDS] for text in texts], dtype=torch.float32)
    return normalize(counts, dim=1)


def first(texts: Sequence[str]) -> Tensor:
    """The first word, and nothing else."""
    return one_hot(torch.tensor([WORDS.index(text.split()[0]) for text in texts]), len(WORDS)).float()


def neighbours(texts: Sequence[str]) -> Tensor:
    """Which words stand side by side, in which order."""
    found = torch.zeros(len(texts), len(WORDS) ** 2)
    for row, text in enumerate(texts):
        said = [WORDS.index(word) for word in text.split()]
        for one, other in pairwise(said):
            found[row, len(WORDS) * one + other] += 1
    return normalize(found, dim=1)


def sentences(count: int, length: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(" ".join(rng.choice(WORDS, length, replace=False)) for _ in range(count)))


def test_a_bag_of_words_is_moved_by_no_order_and_told_by_its_counts() -> None:
    texts = sentences(60, 3)
    assert order_variance(bag, texts).max() == 0
    assert moved(bag(["cat dog"]), bag(["dog cat"]), spread(bag(texts))).item() == 0
    assert explained(bag(texts), texts) > 0.99


def test_order_variance_by_hand() -> None:
    # Of two words either is first: variance 1/2. Two texts of other words lie 1 apart, 1 - cos.
    found = order_variance(first, ["cat dog", "bird tree"], orders=4000)
    torch.testing.assert_close(found, torch.full((2,), 0.5, dtype=torch.float64), atol=0.001, rtol=0)


def test_neighbours_tell_what_words_do_not() -> None:
    texts = sentences(400, 3)
    alone, both = (explained(neighbours(texts), texts, length=length) for length in (1, 2))
    assert both > 0.9
    assert alone < 0.6
    assert explained(torch.randn(len(texts), 8, generator=torch.Generator().manual_seed(0)), texts) < 0.1


def test_a_repeated_text_is_never_tested_on_itself() -> None:
    texts = sentences(100, 3)
    noise = torch.randn(len(texts), 8, generator=torch.Generator().manual_seed(0))
    assert explained(noise.repeat(3, 1), texts * 3) == pytest.approx(explained(noise, texts))


@given(st.integers(2, 12), st.integers(0, 100))
def test_spread_is_the_mean_over_all_pairs(count: int, seed: int) -> None:
    x = normalize(torch.randn(count, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)
    pairs = [1 - (x[i] @ x[j]).item() for i in range(count) for j in range(count) if i != j]
    assert spread(x) == pytest.approx(np.mean(pairs))
    rows = moved(x, x.flip(0), 1.0)
    torch.testing.assert_close(rows, 1 - (x * x.flip(0)).sum(1))
    torch.testing.assert_close(torch.stack([moved(a[None], b[None], 1.0)[0] for a, b in zip(x, x.flip(0), strict=True)]), rows)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(ObvertError, match="two texts or pictures or more to compare with, got 1"):
        spread(torch.ones(1, 3))
    with pytest.raises(ObvertError, match="that the model tells apart, got 4 that are all alike"):
        spread(normalize(torch.ones(4, 3), dim=1))
    with pytest.raises(ObvertError, match="need two texts with two different words or more, and two orders or more, got 1"):
        order_variance(bag, ["cat", "cat cat", "cat dog"])
    with pytest.raises(ObvertError, match="two orders or more"):
        order_variance(bag, ["cat dog", "dog bird"], orders=1)
    with pytest.raises(ObvertError, match="need 8 different texts or more to learn from half of them, got 2"):
        explained(bag(["cat", "dog", "cat"]), ["cat", "dog", "cat"])
