"""Solvers around another: points kept within a range, pictures blurred now and then."""

from __future__ import annotations

import pytest
import torch

from obvert.core import Eval, ObvertError
from obvert.solvers import SGD, iterate
from obvert.solvers.blurred import Blurred, blurred
from obvert.solvers.clipped import Clipped


def test_points_stay_within_the_range() -> None:
    wanted = torch.tensor([[5.0, -0.2], [-3.0, 0.5]])
    found = iterate(
        lambda x: Eval((x - wanted).square().sum(1), 2 * (x - wanted)),
        Clipped(inner=SGD(lr=0.2), low=-1, high=1),
        torch.zeros(2, 2),
        max_steps=60,
        snapshots=(1, 5),
    )
    torch.testing.assert_close(found.x, wanted.clamp(-1, 1))
    assert all(x.abs().max() <= 1 for x in found.snapshots.values())
    with pytest.raises(ValueError, match="need low < high"):
        Clipped(low=1, high=1)


def test_blurs_come_at_their_steps_and_fade() -> None:
    start = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    solver = Blurred(inner=SGD(lr=0.1), every=3, deviation=2.0, horizon=9)
    still = Eval(torch.zeros(1), torch.zeros_like(start))
    x, state, sizes = start, solver.init(start), []
    for _ in range(9):
        x, state = solver.step(x, still, state)
        sizes.append(x.std().item())
    assert sizes[0] == sizes[1] == pytest.approx(start.std().item())
    assert sizes[2] < 0.5 * sizes[1]
    assert sizes[4] == sizes[2] > sizes[5]
    assert sizes[8] == sizes[7]  # nothing is left of it at the end
    torch.testing.assert_close(x.mean(), start.mean(), atol=0.05, rtol=0)
    for wrong in ({"every": 0}, {"deviation": -1.0}, {"horizon": 0}):
        with pytest.raises(ValueError, match="need every >= 1"):
            Blurred(**wrong)  # type: ignore[arg-type]


def test_a_blur_is_a_gaussian() -> None:
    point = torch.zeros(1, 1, 31, 31)
    point[..., 15, 15] = 1
    found = blurred(point, 1.5)[0, 0]
    assert found.sum().item() == pytest.approx(1, abs=1e-5)
    assert (found[15, 15] / found[15, 18]).log().item() == pytest.approx(9 / (2 * 1.5**2), rel=1e-4)
    torch.testing.assert_close(found, found.T)
    torch.testing.assert_close(blurred(torch.ones(2, 3, 8, 8), 3.0), torch.ones(2, 3, 8, 8))
    with pytest.raises(ObvertError, match="need pictures"):
        blurred(torch.zeros(3, 5), 1.0)
