"""Decibels by hand; cocoercivity and spectra of linear maps that are known."""

from __future__ import annotations

import pytest
import torch

from obvert.metrics import cocoercivity, local_spectrum, nmse_db, residual_db


def test_decibels_by_hand() -> None:
    true = torch.tensor([[[3.0, 4.0]], [[1.0, 0.0]]])
    found = torch.tensor([[[3.0, 4.5]], [[1.0, 0.0]]])
    assert nmse_db(found, true).tolist() == [pytest.approx(-20.0), -torch.inf]
    assert residual_db(found, true)[0].item() == pytest.approx(-9.0309, abs=1e-4)
    with pytest.raises(ValueError, match="one shape"):
        nmse_db(found, true[:1])


def test_cocoercivity_of_a_symmetric_map_is_the_inverse_of_its_stretch() -> None:
    stretch = torch.tensor([0.5, 2.0], dtype=torch.float64)
    points = torch.tensor([[[1.0, 0.0]], [[0.0, 3.0]], [[0.0, 0.0]]], dtype=torch.float64)
    limit = torch.zeros(1, 2, dtype=torch.float64)
    beta = cocoercivity(points, points * stretch, limit, limit)
    assert beta[:2, 0].tolist() == [2.0, 0.5]
    assert beta[2].isnan().all()
    assert cocoercivity(points, -points, limit, limit)[0, 0] == -1  # not cocoercive, and said so
    with pytest.raises(ValueError, match="need points and images"):
        cocoercivity(points, points[:2], limit, limit)


def test_the_spectrum_of_a_linear_map_is_found() -> None:
    draw = torch.Generator().manual_seed(0)
    matrix = torch.randn(12, 12, generator=draw, dtype=torch.float64)
    exact = torch.linalg.eigvals(matrix)
    exact = exact[exact.abs().argsort(descending=True)]
    found = local_spectrum(lambda z: (z.flatten(1) @ matrix.T).view_as(z), torch.randn(1, 3, 4, generator=draw).double(), size=40)
    assert len(found) == 12
    torch.testing.assert_close(found.abs(), exact.abs(), rtol=1e-6, atol=1e-8)


def test_few_directions_find_the_largest_and_an_exhausted_space_ends() -> None:
    values = torch.linspace(0.1, 1.0, 50, dtype=torch.float64)
    values[-1] = 5.0
    found = local_spectrum(lambda z: z * values, torch.ones(1, 50, dtype=torch.float64), size=10)
    assert found[0].real.item() == pytest.approx(5.0, abs=1e-6)
    same = local_spectrum(lambda z: 2 * z, torch.ones(1, 50, dtype=torch.float64), size=10)
    assert len(same) == 1
    with pytest.raises(ValueError, match="one sample"):
        local_spectrum(lambda z: z, torch.ones(2, 3))
