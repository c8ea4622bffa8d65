"""InfoNCE: by hand, its floors by enumeration of every batch, its limit on Gaussians."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Generator
from torch.nn.functional import cross_entropy, normalize

from obvert.composition.theory.info_nce import floor, gaussian_limit, gaussians, info_nce, limit
from obvert.core import ObvertError


def test_by_hand() -> None:
    image = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(info_nce(image, image, 0.5), torch.tensor(math.log(1 + math.exp(-2)), dtype=torch.float64))
    torch.testing.assert_close(info_nce(0 * image, image, 0.5), torch.tensor(math.log(2), dtype=torch.float64))


def test_it_is_the_mean_of_both_cross_entropies_and_batches_are_apart() -> None:
    image, text = normalize(torch.randn(2, 3, 5, 4, dtype=torch.float64), dim=-1)
    labels = torch.arange(5)
    for found, f, g in zip(info_nce(image, text, 0.07), image, text, strict=True):
        logits = f @ g.T / 0.07
        torch.testing.assert_close(found, (cross_entropy(logits, labels) + cross_entropy(logits.T, labels)) / 2)


def enumerated(shares: list[float], batch: int) -> float:
    """The floor from every batch that can be drawn: the loss where equal classes are one and others are infinitely far."""
    total = 0.0
    for drawn in product(range(len(shares)), repeat=batch):
        chance = math.prod(shares[c] for c in drawn)
        total += chance * sum(math.log(drawn.count(c)) for c in drawn) / batch
    return total


@pytest.mark.parametrize("batch", [1, 2, 3, 5])
@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.7, 0.2, 0.1], [1.0], [0.25, 0.75, 0.0]])
def test_floors_by_enumeration(shares: list[float], batch: int) -> None:
    assert floor(torch.tensor(shares), batch) == pytest.approx(enumerated(shares, batch), abs=1e-7)


def test_encoders_that_tell_all_they_can_come_to_the_floor() -> None:
    shares = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    draw = Generator().manual_seed(0)
    drawn = torch.multinomial(shares, 4000 * 6, replacement=True, generator=draw).view(4000, 6)
    features = torch.eye(4, dtype=torch.float64)[drawn]
    losses = info_nce(features, features, 0.01)
    assert abs(losses.mean() - floor(shares, 6)) < 4 * losses.std() / 4000**0.5


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=5), st.integers(2, 40))
@example([0.5625, 0.49854713669599227], 2)  # whose shares sum to a little more than 1
def test_telling_more_apart_lowers_the_floor(weights: list[float], batch: int) -> None:
    fine = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    coarse = torch.cat((fine[:2].sum(0, keepdim=True), fine[2:]))
    assert floor(fine, batch) < floor(coarse, batch) <= math.log(batch) + 1e-12
    assert floor(fine, batch) < floor(fine, batch + 1)


def test_gaussians_come_to_their_limit() -> None:
    draw = Generator().manual_seed(0)
    wanted = gaussian_limit(4, 0.8, 2.0)
    assert wanted == pytest.approx(-1.1)
    assert float(limit(*gaussians((3000,), 4, 0.8, draw), 2.0)) == pytest.approx(wanted, abs=0.05)
    off = [
        abs(float(info_nce(*gaussians((2048 // n, n), 4, 0.8, draw), 2.0).mean()) - math.log(n) - wanted) for n in (4, 32, 512)
    ]
    assert off[0] > off[1] > off[2]
    assert off[2] < 0.06


def test_gaussians_correlate_as_said() -> None:
    one, other = gaussians((50_000,), 2, 0.6, Generator().manual_seed(0))
    assert one.shape == (50_000, 2)
    torch.testing.assert_close((one.T @ other) / len(one), 0.6 * torch.eye(2, dtype=torch.float64), atol=0.02, rtol=0)
    assert other.std() == pytest.approx(1, abs=0.01)


def test_what_is_refused() -> None:
    with pytest.raises(ObvertError, match="sum to 1"):
        floor(torch.tensor([0.5, 0.2]), 4)
    with pytest.raises(ObvertError, match="0 or more"):
        floor(torch.tensor([1.5, -0.5]), 4)
    with pytest.raises(ObvertError, match="a pair or more"):
        floor(torch.tensor([1.0]), 0)
    with pytest.raises(ObvertError, match="two pairs"):
        limit(torch.ones(1, 2), torch.ones(1, 2), 1.0)
