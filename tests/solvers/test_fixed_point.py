"""Solvers of fixed points on linear maps whose spectrum is known: rates, bounds and what happens past them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from obvert.core import Eval, Solver, Status
from obvert.registry import find, names
from obvert.solvers import Anderson, ForwardStep, GNSecant, Hybrid, InertialKM, ResidualRate, ScheduledAdam, iterate

SPECTRUM = torch.tensor([1.0, 0.8, 0.5, 0.2, 0.1], dtype=torch.float64)
"""Eigenvalues of T = I - (E o D - e): the smallest decides how fast, the largest how far a step may go."""
TURN = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
ANSWER = torch.linspace(-1, 1, 5, dtype=torch.float64)
START = ANSWER + torch.tensor([[1.0, -2.0, 0.5, 0.1, 3.0], [0.2, 0.1, -1.0, 2.0, -0.3]], dtype=torch.float64)


def linear(spectrum: Tensor = SPECTRUM) -> Any:
    """The field T(z) = Q diag(spectrum) Q' (z - answer); its error is |z - answer|^2."""
    matrix = TURN @ torch.diag(spectrum) @ TURN.T

    def field(z: Tensor) -> Eval:
        apart = z - ANSWER
        return Eval(apart.square().sum(1), apart @ matrix.T)

    return field


def slope(solver: Solver[Any], steps: int = 120) -> float:
    """By what the distance shrinks in a step, far along."""
    trace = iterate(linear(), solver, START, max_steps=steps).trace
    return float((trace[-1] / trace[-21]).max() ** (1 / 40))


@pytest.mark.parametrize("step", [0.3, 1.0, 1.7])
def test_the_forward_step_converges_at_the_rate_of_theory(step: float) -> None:
    expected = (1 - step * SPECTRUM).abs().max().item()
    assert slope(ForwardStep(step_size=step)) == pytest.approx(expected, abs=2e-3)


def test_past_the_bound_the_forward_step_diverges_and_a_guard_holds_it() -> None:
    past = ForwardStep(step_size=2.05)  # 2 beta = 2 / largest eigenvalue = 2
    wild = iterate(linear(), past, START, max_steps=200)
    assert (wild.error > wild.trace[0]).all()
    held = iterate(linear(), past, START, max_steps=200, guard=1.0)
    assert (held.error < 0.1 * held.trace[0]).all()
    assert (held.trace[1:] <= held.trace[:-1]).all()


def inertial_rate(step: float, inertia: float) -> float:
    """Spectral radius of z, z_prev -> next, from the two roots of each eigenvalue."""
    radius = 0.0
    for value in SPECTRUM.tolist():
        damped = 1 - step * value
        companion = torch.tensor([[(1 + inertia) * damped, -inertia * damped], [1.0, 0.0]], dtype=torch.float64)
        radius = max(radius, torch.linalg.eigvals(companion).abs().max().item())
    return radius


@pytest.mark.parametrize(("step", "inertia"), [(0.5, 0.3), (1.0, 0.5), (0.9, 0.2)])
def test_inertial_km_converges_at_the_rate_of_its_companion_matrix(step: float, inertia: float) -> None:
    assert slope(InertialKM(step_size=step, inertia=inertia)) == pytest.approx(inertial_rate(step, inertia), abs=1e-2)


def test_inertial_km_checks_the_theorem_where_beta_is_known() -> None:
    largest = InertialKM.largest_step(0.3, 1.0)
    assert largest == pytest.approx(2 * 0.49 / (1 - 0.3 + 0.18))
    InertialKM(step_size=0.99 * largest, inertia=0.3, beta=1.0)
    with pytest.raises(ValueError, match=r"lambda \(1 - a \+ 2 a\^2\) < \(1 - a\)\^2.*below 1\.11"):
        InertialKM(step_size=1.01 * largest, inertia=0.3, beta=1.0)
    inside = iterate(linear(), InertialKM(step_size=0.99 * largest, inertia=0.3, beta=1.0), START, max_steps=400)
    assert (inside.error < 1e-12).all()


def test_inertial_km_without_inertia_is_the_forward_step() -> None:
    one = iterate(linear(), InertialKM(step_size=0.7, inertia=0.0), START, max_steps=9)
    other = iterate(linear(), ForwardStep(step_size=0.7), START, max_steps=9)
    torch.testing.assert_close(one.x, other.x, rtol=0, atol=1e-14)


@pytest.mark.parametrize("pixels", [False, True])
def test_anderson_solves_a_linear_problem_in_as_many_steps_as_it_has_eigenvalues(pixels: bool) -> None:
    field = linear()

    def seen(z: Tensor) -> Eval:
        now = field(z)
        return now._replace(residual=3 * (z - ANSWER)[:, None, [4, 3, 2, 1, 0]])

    found = iterate(seen, Anderson(memory=5, ridge=0, pixels=pixels), START, max_steps=6)
    assert (found.error < 1e-15).all()
    plain = iterate(field, ForwardStep(step_size=0.5), START, max_steps=6)
    assert (plain.error > 1e-2).all()


def test_anderson_by_pixels_needs_a_residual() -> None:
    with pytest.raises(ValueError, match="residual"):
        iterate(linear(), Anderson(pixels=True), START, max_steps=2)


def least_squares(rows: int = 8) -> tuple[Any, Tensor]:
    """A linear decoder with more pixels than latents: the gradient of its squared error, and its answer."""
    draw = torch.Generator().manual_seed(1)
    matrix = torch.randn(rows, 5, dtype=torch.float64, generator=draw) * torch.tensor([3.0, 2.0, 1.0, 0.5, 0.2])
    wanted = ANSWER @ matrix.T

    def field(z: Tensor) -> Eval:
        wrong = z @ matrix.T - wanted
        return Eval(wrong.square().mean(1), 2 * wrong @ matrix, {}, wrong)

    return field, ANSWER


def test_gn_secant_solves_least_squares_that_gradients_crawl_on() -> None:
    field, answer = least_squares()
    found = iterate(field, GNSecant(memory=20, ridge=1e-12), START, max_steps=14)
    torch.testing.assert_close(found.x, answer.expand(2, 5), rtol=0, atol=1e-4)
    crawl = iterate(field, find("solvers", "sgd")(lr=0.01), START, max_steps=14)
    assert ((crawl.x - answer).norm(dim=1) > 1e-1).all()


def test_hybrid_hands_over_after_its_steps() -> None:
    first, then = ForwardStep(step_size=0.5), ForwardStep(step_size=1.0)
    found = iterate(linear(), Hybrid(steps=3, first=first, then=then), START, max_steps=5)
    half = iterate(linear(), first, START, max_steps=3)
    torch.testing.assert_close(found.x, iterate(linear(), then, half.x, max_steps=2).x, rtol=0, atol=1e-14)
    hybrid = Hybrid(steps=3)
    assert [hybrid.by_gradient(k) for k in range(5)] == [False, False, False, True, True]


def test_the_schedule_rises_falls_and_freezes() -> None:
    solver = ScheduledAdam(lr=0.01, horizon=50)
    rates = [solver.rate(k) for k in range(50)]
    assert rates[0] == pytest.approx(0.002)
    assert max(rates) == rates[4] > 0.0095
    assert rates[39] > 0
    assert rates[40:] == [0.0] * 10
    moved = iterate(linear(), solver, START, max_steps=49, snapshots=(40,))
    assert torch.equal(moved.snapshots[40], moved.x)


def test_a_schedule_may_end_at_a_least_step_size() -> None:
    solver = ScheduledAdam(lr=1.0, least=0.2, horizon=8, warmup=0.0, until=1.0)
    assert [solver.rate(k) for k in (0, 4, 8, 9)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    assert solver.rate(7) == pytest.approx(0.2 + 0.8 * (1 - math.cos(math.pi / 8)) / 2)
    early = ScheduledAdam(lr=1.0, least=0.2, horizon=8, warmup=0.25, until=0.5)
    rates = [0.2 + 0.3, 0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2, 0.6, 0.2 + 0.8 * (1 - math.sqrt(0.5)) / 2, *[0.2] * 5]
    assert [early.rate(k) for k in range(9)] == pytest.approx(rates)
    start = torch.zeros(1, 1, dtype=torch.float64)
    moved = iterate(lambda x: Eval(x[:, 0] + 9, torch.ones_like(x)), early, start, max_steps=8)  # Adam's own step is 1
    assert moved.x.item() == pytest.approx(-sum(rates[:8]), rel=1e-6)


def test_the_rate_rule_stops_each_sample_where_its_gain_falls() -> None:
    errors = torch.tensor([[1.0, 1.0], [0.5, 0.7], [0.4, 0.3], [0.39, 0.1]])
    rule = ResidualRate(decibels=2.0)
    assert rule(errors[:1]).tolist() == [False, False]
    assert rule(errors[:2]).tolist() == [False, True]  # 3.0 and 1.5 dB
    assert rule(errors[:3]).tolist() == [True, False]
    assert ResidualRate(decibels=2.0, least=2)(errors[:2]).tolist() == [False, False]


def test_near_the_floor_of_noise_the_rate_rule_goes_on_until_all_stands_still() -> None:
    errors = torch.tensor([[4.0, 4.0], [2.0, 2.0], [1.6, 1.6], [1.599, 1.599]])
    rule = ResidualRate(decibels=2.0, floor=torch.tensor([0.5, 0.01]), window=1)
    assert rule(errors[:3]).tolist() == [False, True]  # 0.97 dB, at 5 and at 22 dB above the floor
    assert rule(errors).tolist() == [True, True]  # 0.003 dB
    longer = ResidualRate(decibels=2.0, floor=0.5, window=2)
    assert longer(errors).tolist() == [False, False]  # 0.97 dB over two steps


@pytest.mark.parametrize("name", names("solvers"))
class TestContract:
    def field(self, z: Tensor) -> Eval:
        return least_squares()[0](z)

    def test_alone_and_in_a_batch(self, name: str) -> None:
        solver = find("solvers", name)()
        together = iterate(self.field, solver, START, max_steps=7, guard=4.0)
        for i in range(2):
            alone = iterate(self.field, solver, START[i : i + 1], max_steps=7, guard=4.0)
            torch.testing.assert_close(alone.x[0], together.x[i], rtol=1e-9, atol=1e-12)

    def test_it_moves_and_leaves_its_start_alone(self, name: str) -> None:
        start = START.clone()
        found = iterate(self.field, find("solvers", name)(), start, max_steps=5, guard=4.0)
        assert torch.equal(start, START)
        assert not torch.equal(found.x, START)
        assert found.x.isfinite().all()

    def test_a_field_that_breaks_ends_with_a_status(self, name: str) -> None:
        calls = 0

        def breaks(z: Tensor) -> Eval:
            nonlocal calls
            calls += 1
            now = self.field(z)
            return now if calls < 4 else now._replace(direction=now.direction * torch.tensor([[1.0], [torch.nan]]))

        found = iterate(breaks, find("solvers", name)(), START, max_steps=8, guard=4.0)
        assert found.status.tolist() == [Status.STEPS, Status.NON_FINITE]
        assert found.x.isfinite().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ForwardStep(step_size=0), "step_size > 0"),
        (lambda: InertialKM(inertia=1.0), "inertia < 1"),
        (lambda: Anderson(memory=0), "memory >= 1"),
        (lambda: GNSecant(first=0), "first > 0"),
        (lambda: Hybrid(steps=0), "steps >= 1"),
        (lambda: ScheduledAdam(warmup=0.9), "warmup < until"),
        (lambda: ScheduledAdam(lr=0.1, least=0.1), "lr > least >= 0"),
        (lambda: ScheduledAdam(least=-0.1), "lr > least >= 0"),
        (lambda: ResidualRate(decibels=0), "decibels > 0"),
    ],
)
def test_settings_out_of_range_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_refused_first_step_ends_nothing() -> None:
    steep = iterate(linear(), ForwardStep(step_size=40.0), START, max_steps=60, guard=2.0, stop=ResidualRate(decibels=0.1))
    assert (steep.error < steep.trace[0]).all()
    assert (steep.steps > 1).all()
