"""The nouns: gradients that are known beforehand, objectives that add and scale, and one start for all samples."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from obvert.core import Map, Objective, descent
from obvert.objectives.cosine import Cosine

X = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class Bowl(Objective):
    """Squared length, whose gradient is 2 x."""

    name: str = "bowl"

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        return {self.name: (x * x).sum(1)}


@dataclass(frozen=True)
class Slope(Objective):
    """Sum of the entries, whose gradient is 1."""

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        return {"slope": x.sum(1)}


def test_the_direction_is_the_gradient() -> None:
    now = descent(Bowl())(X)
    torch.testing.assert_close(now.direction, 2 * X)
    torch.testing.assert_close(now.error, (X * X).sum(1))
    assert not now.error.requires_grad
    assert not X.requires_grad


def test_objectives_add_and_scale() -> None:
    now = descent(Bowl() + 0.5 * Slope() + 3 * (Bowl() + Bowl("other")))(X)
    torch.testing.assert_close(now.direction, 14 * X + 0.5)
    assert list(now.terms) == ["bowl", "slope", "other"]
    torch.testing.assert_close(now.terms["bowl"], 4 * (X * X).sum(1))
    torch.testing.assert_close(now.terms["slope"], 0.5 * X.sum(1))
    torch.testing.assert_close(sum(now.terms.values()), now.error)


def test_a_sample_does_not_feel_the_others() -> None:
    field = descent(Bowl() + Slope())
    together = field(X)
    for i in range(len(X)):
        alone = field(X[i : i + 1])
        assert torch.equal(alone.direction[0], together.direction[i])
        assert torch.equal(alone.error[0], together.error[i])


def test_descent_works_where_gradients_are_off() -> None:
    with torch.no_grad():
        assert torch.equal(descent(Bowl())(X).direction, 2 * X)


def test_cosine_by_hand() -> None:
    target = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    found = Cosine(lambda x: 5 * x, target)(torch.tensor([[1.0, 0.0]]).expand(3, 2))
    torch.testing.assert_close(found["cosine"], torch.tensor([0.0, 1.0, 2.0]))


def test_every_sample_starts_at_the_same_seeded_point() -> None:
    space = Map(call=torch.sin, shape=(2, 5), scale=0.02)
    start = space.start(3, seed=7)
    assert start.shape == (3, 2, 5)
    assert torch.equal(start[0], start[2])
    assert torch.equal(start[:1], space.start(1, seed=7))
    assert not torch.equal(start, space.start(3, seed=8))
    assert space.start(1, 0, dtype=torch.float64).dtype == torch.float64
    assert Map(call=torch.sin, shape=(50_000,), scale=0.02).start(1, 0).std().item() == pytest.approx(0.02, rel=0.02)
    assert torch.equal(space(start), start.sin())
    start[0] = 0
    assert start[1].any()
