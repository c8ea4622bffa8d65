"""Spectra of noise whose colour is known, of waves and of what is constant."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from obvert.metrics import decibels_per_octave, spectrum_slope
from obvert.spectra import bands, slope


def coloured(shape: tuple[int, ...], exponent: float, seed: int = 0) -> Tensor:
    """Noise of power f^exponent."""
    white = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    sides = tuple(range(2, len(shape)))
    axes = torch.meshgrid(*(torch.fft.fftfreq(n, dtype=torch.float64) for n in shape[2:]), indexing="ij")
    length = torch.stack(axes).square().sum(0).sqrt()
    length.view(-1)[0] = 1
    return torch.fft.ifftn(torch.fft.fftn(white, dim=sides) * length ** (exponent / 2), dim=sides).real


@pytest.mark.parametrize("exponent", [0.0, -1.0, -2.0, -3.0])
@pytest.mark.parametrize("shape", [(4, 1, 16_000), (4, 3, 96, 96), (4, 3, 80, 128)])
def test_the_colour_of_noise_is_found(exponent: float, shape: tuple[int, ...]) -> None:
    found = spectrum_slope(coloured(shape, exponent))
    assert found.shape == (4,)
    assert found.mean().item() == pytest.approx(exponent, abs=0.15)


def test_white_noise_has_its_variance_in_every_band() -> None:
    frequency, power = bands(2 * coloured((8, 1, 32_000), 0))
    assert (frequency.diff() > 0).all()
    assert frequency[-1] <= 0.5
    torch.testing.assert_close(power.mean(0), torch.full_like(frequency, 4), rtol=0.15, atol=0)


def test_a_wave_is_in_its_band() -> None:
    wave = torch.sin(2 * torch.pi * 0.1 * torch.arange(4096, dtype=torch.float64))[None, None]
    frequency, power = bands(wave)
    assert frequency[power[0].argmax()].item() == pytest.approx(0.1, rel=0.15)
    rows = torch.sin(2 * torch.pi * 0.2 * torch.arange(64.0))[:, None].expand(1, 3, 64, 64)
    frequency, power = bands(rows)
    assert frequency[power[0].argmax()].item() == pytest.approx(0.2, rel=0.15)


def test_a_line_is_fitted_exactly() -> None:
    frequency = torch.tensor([0.01, 0.05, 0.2, 0.5], dtype=torch.float64)
    found, left = slope(frequency, 3 * frequency[None] ** torch.tensor([[-1.7], [0.4]], dtype=torch.float64))
    assert found.tolist() == pytest.approx([-1.7, 0.4])
    assert left.abs().max() < 1e-12


def test_level_mean_and_who_else_is_there_do_not_count() -> None:
    x = coloured((3, 3, 64, 64), -2)
    torch.testing.assert_close(spectrum_slope(5 * x + 7), spectrum_slope(x))
    torch.testing.assert_close(spectrum_slope(x)[1:2], spectrum_slope(x[1:2]))
    assert spectrum_slope(torch.full((2, 1, 500), 0.3)).isnan().all()
    assert decibels_per_octave(torch.tensor(-2.0)).item() == pytest.approx(-6.0206, abs=1e-4)


def test_a_part_of_the_frequencies() -> None:
    bent = coloured((2, 1, 32_000), 0) + 30 * coloured((2, 1, 32_000), -4, seed=1) / 1e4
    assert spectrum_slope(bent, within=(0.2, 0.5)).abs().max() < 0.2
    with pytest.raises(ValueError, match="three bands or more"):
        spectrum_slope(bent, within=(0.4, 0.5))


@pytest.mark.parametrize("shape", [(1, 2, 500), (1, 1, 8), (1, 500), (1, 3, 64, 8)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="need sounds"):
        spectrum_slope(torch.zeros(shape))


def test_photographs_fall_as_they_should(shared_data: Path) -> None:
    from obvert.io import read_images

    found = [spectrum_slope(read_images(path)[0][None]).item() for path in sorted((shared_data / "photos").glob("*.png"))]
    assert sum(found) / len(found) == pytest.approx(-2.3, abs=0.2)
    assert max(found) < -1.5
