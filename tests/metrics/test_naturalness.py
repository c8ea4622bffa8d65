"""Distances of normal distributions that are known, and of neighbours that can be counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from obvert.metrics import frechet_control, frechet_distance, neighbour_ratio


def normal(rows: int, width: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact(rows: int = 64, width: int = 4) -> Tensor:
    """Features whose mean is 0 and whose covariance is the identity, exactly."""
    x = normal(rows, width)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_of_a_shift_and_a_stretch(shrinkage: float) -> None:
    x = exact()
    shift = torch.tensor([1.0, 0.0, 2.0, 0.0], dtype=torch.float64)
    assert frechet_distance(x, x, shrinkage=shrinkage) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x + shift, x, shrinkage=shrinkage) == pytest.approx(5)
    assert frechet_distance(3 * x + shift, x, shrinkage=shrinkage) == pytest.approx(5 + 4 * (3 - 1) ** 2)


def test_of_covariances_that_do_not_commute() -> None:
    one, other = _two()
    a, b = one.T.cov(), other.T.cov()
    values = torch.linalg.eigvals(a @ b).real.clamp(min=0).sqrt().sum()
    wanted = a.trace() + b.trace() - 2 * values
    assert frechet_distance(one, other, shrinkage=0) == pytest.approx(wanted.item(), rel=1e-6)


def _two() -> tuple[Tensor, Tensor]:
    x = exact(width=2)
    a, b = torch.tensor([[2.0, 0.5], [0.5, 1.0]]).double(), torch.tensor([[1.0, -0.3], [-0.3, 3.0]]).double()
    return x @ torch.linalg.cholesky(a).T, x @ torch.linalg.cholesky(b).T


def test_few_samples_are_far_from_their_own_kind_and_the_control_says_so() -> None:
    real = normal(300, 16)
    few, many = frechet_control(real, 10, shrinkage=0.0), frechet_control(real, 150, shrinkage=0.0)
    assert few[0] > 4 * many[0] > 0
    assert few[1] < few[0] < few[2]
    steadied = frechet_control(real, 10, shrinkage=1.0)
    assert steadied[0] < few[0] / 2
    assert frechet_control(real, 10, seed=1) == frechet_control(real, 10, seed=1) != frechet_control(real, 10, seed=2)
    assert frechet_distance(normal(10, 16, seed=1), real, shrinkage=0.0) == pytest.approx(few[0], rel=0.35)


def test_units_do_not_matter_once_they_are_standardised() -> None:
    real, found = normal(60, 3), normal(9, 3, seed=1)
    units = torch.tensor([1.0, 1000.0, 0.01], dtype=torch.float64)
    plain = neighbour_ratio(found, real, standardised=True)
    torch.testing.assert_close(neighbour_ratio(found * units, real * units, standardised=True), plain)
    assert not torch.allclose(neighbour_ratio(found * units, real * units), plain)
    still = torch.cat((real, torch.ones(60, 1)), 1)  # a coordinate that never varies counts, but is not divided by 0
    assert neighbour_ratio(still, still, standardised=True).max() == 0
    assert neighbour_ratio(still + torch.tensor([0, 0, 0, 1.0]), still, standardised=True).isfinite().all()


def test_neighbours_by_hand() -> None:
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0], [10.0]])
    found = torch.tensor([[0.5], [3.0], [20.0]])
    assert neighbour_ratio(found, real).tolist() == [0.5, 0, 10]  # the real are 1 apart, but for one
    assert neighbour_ratio(found, real, k=2).tolist() == pytest.approx([0.5 / 2, 1 / 2, 17 / 2])  # 2 1 1 2 8: 2
    assert neighbour_ratio(found, torch.ones(4, 1)).isnan().all()


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_the_real_have_one_and_scale_and_chunk_do_not_count(chunk: int) -> None:
    real = normal(200)
    fresh, far = normal(50, seed=1), 10 + normal(50, seed=2)
    assert neighbour_ratio(fresh, real).median().item() == pytest.approx(1, abs=0.25)
    assert neighbour_ratio(far, real).min() > 5
    torch.testing.assert_close(neighbour_ratio(7 * fresh, 7 * real, chunk=chunk), neighbour_ratio(fresh, real))


def test_refused() -> None:
    real = normal(5)
    with pytest.raises(ValueError, match="N >= 2 and M >= 2"):
        frechet_distance(real[:1], real)
    with pytest.raises(ValueError, match="need features"):
        neighbour_ratio(real, normal(5, 3))
    with pytest.raises(ValueError, match="M >= 6"):
        neighbour_ratio(real, real, k=5)
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(real, real * torch.nan)
    with pytest.raises(ValueError, match="shrinkage within"):
        frechet_distance(real, real, shrinkage=2)
    with pytest.raises(ValueError, match="k >= 1"):
        neighbour_ratio(real, real, k=0)
    with pytest.raises(ValueError, match="count <= 3"):
        frechet_control(real, 4)
