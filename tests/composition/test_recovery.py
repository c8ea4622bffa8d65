"""What one linear map brings back: all where sides are only turned, nothing where one is blind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.composition.recovery import exchanged, fit
from obvert.core import ObvertError
from obvert.metrics import two_by_two

D = 6


def world(count: int, seed: int) -> Tensor:
    """(N, 2, D) unit features of pairs that differ in every direction."""
    draw = torch.randn(count, 2, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return normalize(draw, dim=-1)


def turned(features: Tensor) -> Tensor:
    """The same under an orthogonal map that takes each axis to another."""
    return features.roll(1, -1)


def group(images: Tensor, texts: Tensor) -> float:
    return two_by_two(images @ texts.transpose(1, 2)).group.mean().item()


@pytest.mark.parametrize("side", ["text", "image"])
def test_what_was_only_turned_is_brought_back(side) -> None:
    train, test = world(200, 0), world(200, 1)
    assert group(test, turned(test)) < 0.3
    fitted = fit(train, turned(train), side=side)
    assert two_by_two(fitted.scores(test, turned(test))).group.mean() > 0.95


def test_where_nothing_is_to_be_gained_the_map_is_the_identity() -> None:
    images = world(100, 0)
    assert torch.equal(fit(images, images, side="text").matrix, torch.eye(D, dtype=torch.float64))


@pytest.mark.parametrize("side", ["text", "image"])
def test_a_blind_side_stays_blind(side) -> None:
    train, test = world(200, 0), world(200, 1)
    blind = [normalize(x.mean(1, keepdim=True).expand_as(x), dim=-1) for x in (train, test)]
    scores = fit(train, blind[0], side=side).scores(test, blind[1])
    assert two_by_two(scores, 1e-9).group.max() < 1
    assert two_by_two(fit(blind[0], train, side=side).scores(blind[1], test), 1e-9).group.max() < 1


def test_the_control_learns_nothing() -> None:
    train, test = world(200, 0), world(200, 1)
    mixed = exchanged(turned(train))
    kept = (mixed == turned(train)).all(-1).all(-1)
    assert 70 < kept.sum() < 130
    torch.testing.assert_close(mixed[~kept], turned(train)[~kept].flip(1))
    assert two_by_two(fit(train, mixed, side="text").scores(test, turned(test))).group.mean() < 0.3


def test_a_batch_equals_its_samples_and_a_seed_its_map() -> None:
    train, test = world(40, 0), world(5, 1)
    fitted = fit(train.float(), turned(train).float(), side="text", seed=3)
    assert torch.equal(fitted.matrix, fit(train.float(), turned(train).float(), side="text", seed=3).matrix)
    whole = fitted.scores(test, test)
    torch.testing.assert_close(torch.cat([fitted.scores(one[None], one[None]) for one in test]), whole)


@pytest.mark.parametrize(
    ("images", "texts", "told"),
    [
        (torch.zeros(15, 2, 4), torch.zeros(15, 2, 4), r"N >= 16, got \(15, 2, 4\)"),
        (torch.zeros(20, 2, 4), torch.zeros(20, 2, 5), r"got \(20, 2, 4\) and \(20, 2, 5\)"),
        (torch.zeros(20, 3, 4), torch.zeros(20, 3, 4), "of both sides"),
    ],
)
def test_other_shapes_are_refused(images: Tensor, texts: Tensor, told: str) -> None:
    with pytest.raises(ObvertError, match=told):
        fit(images, texts, side="text")
