"""Modality gap: clouds whose means are known, and clouds that can or cannot be told apart."""

import math
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from obvert.metrics import linear_separability, modality_gap


def cloud(rows: int, shift: float, seed: int) -> Tensor:
    """Gaussian points in 6 dimensions around (shift, 0, ...)."""
    x = torch.randn(rows, 6, generator=torch.Generator().manual_seed(seed))
    x[:, 0] += shift
    return x


def test_gap_of_known_means() -> None:
    angle = torch.tensor(0.7, dtype=torch.float64)
    image = torch.stack([torch.stack([angle.cos(), side * angle.sin()]) for side in (1, -1)])
    text = torch.tensor([[0.0, 3.0], [0.0, 5.0], [0.0, 0.1]])
    assert modality_gap(image, text) == pytest.approx(math.hypot(math.cos(0.7), 1), rel=1e-12)


def test_gap_ends_and_symmetry() -> None:
    x, y = cloud(30, 1, 0), cloud(20, -2, 1)
    assert modality_gap(x, x) == 0
    assert modality_gap(torch.eye(1, 4), -torch.eye(1, 4)) == 2
    assert modality_gap(x, y) == modality_gap(y, x)
    assert modality_gap(x, y) == pytest.approx(modality_gap(7 * x, y.double()), rel=1e-6)


def test_separable_clouds() -> None:
    assert linear_separability(cloud(100, 30, 0), cloud(60, -30, 1)) == 1


def test_identical_clouds_are_exactly_inseparable() -> None:
    x = cloud(51, 0, 0)
    assert linear_separability(x, x) == 0.5


def test_same_distribution_is_near_half_whatever_the_shares() -> None:
    assert linear_separability(cloud(1000, 1, 0), cloud(200, 1, 1)) == pytest.approx(0.5, abs=0.08)


def test_separability_grows_with_the_gap_and_keeps_its_seed() -> None:
    near, far = (linear_separability(cloud(300, shift, 0), cloud(300, 0, 1), seed=5) for shift in (0.3, 3.0))
    assert 0.45 < near < far < 1
    assert linear_separability(cloud(300, 3, 0), cloud(300, 0, 1), seed=5) == far


@pytest.mark.parametrize("measure", [modality_gap, linear_separability])
def test_refused(measure: object) -> None:
    assert callable(measure)
    x = cloud(5, 0, 0)
    broken = x.clone()
    broken[1, 0], broken[2] = math.nan, 0
    with pytest.raises(ValueError, match="text features other than zero, got 2 of 5 rows"):
        measure(x, broken)
    with pytest.raises(ValueError, match=r"got \(5, 6\) and \(5, 4\)"):
        measure(x, x[:, :4])
    with pytest.raises(ValueError, match="at least"):
        measure(x[:0], x)


def test_one_row_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match="at least 2 rows"):
        linear_separability(torch.eye(1, 3), torch.eye(3))


def test_import_leaves_scikit_learn_alone() -> None:
    code = "import sys, obvert.metrics; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
