"""Solvers against torch's own, and what every registered one promises."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import Tensor

from obvert.core import Eval
from obvert.registry import find, names
from obvert.solvers import iterate
from obvert.solvers.adam import Adam
from obvert.solvers.sgd import SGD

SCALE = torch.tensor([[1.0, 10.0], [0.3, 2.0], [5.0, 0.01]], dtype=torch.float64)
START = torch.tensor([[9.0, 9.0], [-3.0, 1.0], [0.1, 0.2]], dtype=torch.float64)


def quadratic(x: Tensor, scale: Tensor = SCALE) -> Eval:
    return Eval((scale * x * x).sum(1) / 2, scale * x)


def theirs(make: type[torch.optim.Optimizer], **settings: float) -> Tensor:
    """The point after 50 steps of an optimiser of torch."""
    x = torch.nn.Parameter(START.clone())
    optimiser = make([x], **settings)
    for _ in range(50):
        x.grad = SCALE * x.detach()
        optimiser.step()
    return x.data


def test_adam_equals_torch() -> None:
    mine = iterate(quadratic, Adam(lr=0.1, betas=(0.8, 0.95)), START, max_steps=50).x
    torch.testing.assert_close(mine, theirs(torch.optim.Adam, lr=0.1, betas=(0.8, 0.95)), rtol=1e-12, atol=1e-12)


def test_adamw_equals_torch() -> None:
    mine = iterate(quadratic, Adam(lr=0.1, weight_decay=0.2), START, max_steps=50).x
    torch.testing.assert_close(mine, theirs(torch.optim.AdamW, lr=0.1, weight_decay=0.2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_equals_torch(momentum: float) -> None:
    mine = iterate(quadratic, SGD(lr=0.05, momentum=momentum), START, max_steps=50).x
    torch.testing.assert_close(mine, theirs(torch.optim.SGD, lr=0.05, momentum=momentum), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", names("solvers"))
class TestContract:
    def test_it_lowers_a_quadratic(self, name: str) -> None:
        found = iterate(quadratic, find("solvers", name)(), START, max_steps=100)
        assert (found.error < 0.9 * found.trace[0]).all()

    def test_its_state_is_per_sample(self, name: str) -> None:
        solver = find("solvers", name)()
        together = iterate(quadratic, solver, START, max_steps=20).x
        for i in range(len(START)):
            alone = iterate(lambda x, i=i: quadratic(x, SCALE[i]), solver, START[i : i + 1], max_steps=20).x
            assert torch.equal(alone[0], together[i])

    def test_it_is_frozen_and_its_step_changes_nothing_in_place(self, name: str) -> None:
        solver, x = find("solvers", name)(), START.clone()
        with pytest.raises(FrozenInstanceError):
            solver.lr = 1.0
        first = solver.step(x, SCALE * x, state := solver.init(x))[0]
        assert torch.equal(x, START)
        assert torch.equal(solver.step(x, SCALE * x, state)[0], first)


@pytest.mark.parametrize(
    ("solver", "wrong"),
    [(Adam, {"lr": 0.0}), (Adam, {"betas": (0.9, 1.0)}), (Adam, {"eps": 0.0}), (Adam, {"weight_decay": -1.0})]
    + [(SGD, {"lr": -1.0}), (SGD, {"momentum": 1.0}), (SGD, {"lr": float("nan")}), (Adam, {"lr": float("nan")})],
)
def test_bad_settings_are_refused(solver: type, wrong: dict) -> None:
    with pytest.raises(ValueError, match="need lr > 0"):
        solver(**wrong)
