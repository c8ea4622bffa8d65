"""Attacks: each against what it should do, by hand; the same seed the same picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from obvert.attacks import ATTACKS, attack
from obvert.core import ObvertError
from obvert.zoo.draw import draw
from obvert.zoo.scenes import sample


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return draw(sample(1, 0))[0].float() / 255


@pytest.mark.parametrize("name", ATTACKS)
def test_pictures_in_and_out_the_same_for_a_seed(name: str, picture: Tensor) -> None:
    wide = picture[:, :48]
    for given in (picture, wide):
        before = given.clone()
        seen = attack(name, given, 3)
        assert seen.shape == given.shape
        assert seen.dtype == torch.float32
        assert 0 <= seen.min() <= seen.max() <= 1
        assert torch.equal(seen, attack(name, given, 3))
        assert torch.equal((255 * seen).round() / 255, seen)
        assert torch.equal(given, before)
        assert torch.equal(seen, given) is (name == "none")
    moves = not torch.equal(attack(name, picture, 3), attack(name, picture, 4))
    assert moves is (name in ("noise", "crop", "brightness"))


def test_nothing_is_rounding_alone() -> None:
    grey = torch.full((3, 4, 4), 0.3)
    assert (attack("none", grey, 0) - grey).abs().max() < 0.5 / 255


def test_jpeg_keeps_the_gist(picture: Tensor) -> None:
    error = (attack("jpeg", picture, 0) - picture).square().mean()
    assert 1e-5 < error < 1e-2
    assert (attack("jpeg", torch.full((3, 64, 64), 0.5), 0) - 0.5).abs().max() < 0.02


def test_blur_has_the_width_of_the_paper_in_proportion() -> None:
    for side, wanted in ((256, 4.0), (512, 8.0)):
        point = torch.zeros(3, side, side)
        point[:, side // 2 - 20 : side // 2 + 20] = 1  # a bar: its edge is the integral of the kernel
        edge = attack("blur", point, 0)[0, side // 2 - 60 : side // 2, 0].diff()
        rows = torch.arange(len(edge))
        mean = (edge * rows).sum() / edge.sum()
        deviation = ((edge * (rows - mean) ** 2).sum() / edge.sum()).sqrt()
        assert deviation.item() == pytest.approx(wanted, rel=0.15)


def test_noise_has_a_tenth() -> None:
    seen = attack("noise", torch.full((3, 64, 64), 0.5), 1)
    assert (seen - 0.5).std().item() == pytest.approx(0.1, abs=0.004)


def test_a_crop_keeps_the_height_and_three_quarters_of_the_width() -> None:
    columns = torch.linspace(0, 1, 64).expand(3, 64, 64)
    seen = attack("crop", columns, 5)
    assert (seen[0, :, :1] - seen[0]).abs().sum(0)[0] == 0
    assert (seen[0, 0, -2] - seen[0, 0, 1]).item() == pytest.approx(0.75 * 61 / 63, abs=0.03)
    rows = columns.transpose(1, 2)
    assert (attack("crop", rows, 5) - rows).abs().max() < 0.5 / 255 + 1e-6


def test_rotation_by_75_degrees_to_the_left() -> None:
    point = torch.zeros(3, 65, 65)
    point[:, 31:34, 57:60] = 1  # 26 to the right of the middle
    row, column = attack("rotation", point, 0)[0].nonzero().float().mean(0).tolist()
    assert row == pytest.approx(32 - 26 * 0.9659, abs=1)
    assert column == pytest.approx(32 + 26 * 0.2588, abs=1)
    assert attack("rotation", torch.ones(3, 65, 65), 0)[:, 0, 0].max() == 0


def test_brightness_is_one_factor_up_to_seven() -> None:
    grey = torch.full((3, 4, 4), 0.1)
    grey[:, 0] = 0.05
    factors = torch.stack([attack("brightness", grey, seed)[0, 0, 0] / 0.05 for seed in range(300)])
    assert factors.min() < 0.3
    assert 6.6 < factors.max() < 7.1
    assert factors.mean().item() == pytest.approx(3.5, abs=0.35)
    one = attack("brightness", grey, 2)
    assert (one[0, 1] - 2 * one[0, 0]).abs().max() < 2 / 255


def test_what_does_not_fit_is_told(picture: Tensor) -> None:
    with pytest.raises(ObvertError, match="did you mean blur"):
        attack("blurr", picture, 0)
    with pytest.raises(ObvertError, match="need a picture"):
        attack("jpeg", picture[0], 0)
    with pytest.raises(ObvertError, match="need a picture"):
        attack("jpeg", picture * torch.nan, 0)
