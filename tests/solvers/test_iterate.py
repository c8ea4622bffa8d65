"""The loop: a field that is no gradient, samples that end by themselves, numbers that break."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from obvert.core import Eval, Status
from obvert.registry import find, names
from obvert.solvers import Plateau, iterate
from obvert.solvers.adam import Adam
from obvert.solvers.sgd import SGD

A = torch.tensor([[0.3, -0.4], [0.5, 0.1]], dtype=torch.float64)  # not symmetric: no gradient has this field
B = torch.tensor([1.0, -2.0], dtype=torch.float64)
ANSWER = torch.linalg.solve(torch.eye(2, dtype=torch.float64) - A, B)


def contraction(x: Tensor) -> Eval:
    direction = x - (x @ A.T + B)
    return Eval(direction.norm(dim=1), direction)


def starts() -> Tensor:
    return torch.tensor([[9.0, 9.0], [-3.0, 1.0], [0.1, 0.2]], dtype=torch.float64)


def test_a_field_that_is_no_gradient_finds_the_fixed_point() -> None:
    found = iterate(contraction, SGD(lr=1.0), starts(), max_steps=200, tol=1e-12)
    torch.testing.assert_close(found.x, ANSWER.expand(3, 2), rtol=0, atol=1e-11)
    assert (found.status == Status.CONVERGED).all()


def test_a_batch_equals_its_samples_each_ending_by_itself() -> None:
    together = iterate(contraction, SGD(lr=1.0), starts(), max_steps=100, tol=1e-6)
    for i, start in enumerate(starts()):
        alone = iterate(contraction, SGD(lr=1.0), start[None], max_steps=100, tol=1e-6)
        assert torch.equal(alone.x[0], together.x[i])
        assert alone.steps[0] == together.steps[i]
    assert len(set(together.steps.tolist())) > 1


def test_a_broken_sample_ends_at_its_best_point_and_harms_no_other() -> None:
    calls = 0

    def field(x: Tensor) -> Eval:
        nonlocal calls
        calls += 1
        now = contraction(x)
        if calls <= 4:
            return now
        return Eval(now.error.index_fill(0, torch.tensor([1]), torch.nan), now.direction)

    found = iterate(field, SGD(lr=1.0), starts(), max_steps=30)
    clean = iterate(contraction, SGD(lr=1.0), starts(), max_steps=30)
    assert found.status.tolist() == [Status.STEPS, Status.NON_FINITE, Status.STEPS]
    assert torch.equal(found.x[[0, 2]], clean.x[[0, 2]])
    assert found.steps[1] == 3
    assert found.error[1] == clean.trace[3, 1]


def test_snapshots_equal_shorter_runs_also_after_the_end() -> None:
    found = iterate(contraction, SGD(lr=1.0), starts(), max_steps=100, tol=1e-3, snapshots=(0, 3, 100), check_every=1)
    assert torch.equal(found.snapshots[0], starts())
    assert torch.equal(found.snapshots[3], iterate(contraction, SGD(lr=1.0), starts(), max_steps=3).x)
    assert torch.equal(found.snapshots[100], found.x)


def test_best_and_last() -> None:
    rising = {"best": 0, "last": 5}
    for keep, steps in rising.items():
        found = iterate(lambda x: Eval(x.abs().sum(1), -x), SGD(lr=1.0), torch.ones(2, 1), max_steps=5, keep=keep)
        assert found.steps.tolist() == [steps, steps]


def test_the_start_is_left_alone_and_progress_is_told() -> None:
    start, told = starts(), []
    iterate(contraction, SGD(), start, max_steps=20, progress=lambda *now: told.append(now[:2]))
    assert torch.equal(start, starts())
    assert told == [(0, 20), (10, 20), (20, 20)]


@pytest.mark.parametrize("wrong", [{"max_steps": -1}, {"max_steps": 3, "snapshots": (4,)}, {"max_steps": 3, "keep": "worst"}])
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="need"):
        iterate(contraction, SGD(), starts(), **wrong)


def test_plateau_by_hand() -> None:
    stop = Plateau(window=2, drop=0.1)
    errors = torch.tensor([[1.0, 1.0], [0.97, 0.9], [0.95, 0.8]])
    assert stop(errors[:2]).tolist() == [False, False]
    assert stop(errors).tolist() == [True, False]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_equals_torch(decay: float) -> None:
    scale = torch.tensor([[1.0, 10.0]], dtype=torch.float64)
    mine = iterate(lambda x: Eval((x * x).sum(1), scale * x), Adam(lr=0.1, weight_decay=decay), starts(), max_steps=50).x
    theirs = torch.nn.Parameter(starts())
    optimiser = torch.optim.AdamW([theirs], lr=0.1, weight_decay=decay)
    for _ in range(50):
        theirs.grad = scale * theirs.detach()
        optimiser.step()
    torch.testing.assert_close(mine, theirs.data, rtol=1e-12, atol=1e-12)


def test_sgd_equals_torch() -> None:
    mine = iterate(lambda x: Eval((x * x).sum(1), x), SGD(lr=0.1, momentum=0.8), starts(), max_steps=30).x
    theirs = torch.nn.Parameter(starts())
    optimiser = torch.optim.SGD([theirs], lr=0.1, momentum=0.8)
    for _ in range(30):
        theirs.grad = theirs.detach().clone()
        optimiser.step()
    torch.testing.assert_close(mine, theirs.data)


@pytest.mark.parametrize("name", names("solvers"))
def test_every_solver_lowers_a_bowl(name: str) -> None:
    found = iterate(lambda x: Eval((x * x).sum(1), 2 * x), find("solvers", name)(), starts(), max_steps=100)
    assert (found.error < found.trace[0]).all()
