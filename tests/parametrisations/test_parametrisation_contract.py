"""What every parametrisation keeps: one start for all samples, shape and bounds, samples apart, a gradient for every number."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from obvert.core import Domain, ObvertError, Parametrisation
from obvert.metrics import spectrum_slope
from obvert.parametrisations.stft import STFT
from obvert.parametrisations.waveform import Waveform
from obvert.registry import find, names

PICTURE = Domain(media="picture", shape=(3, 16, 24), bounds=(0.0, 1.0))
SOUND = Domain(media="sound", shape=(1, 1500), bounds=(-1.0, 1.0), rate=16_000)
CASES: dict[str, tuple[Parametrisation, Domain]] = {"waveform": (Waveform(), SOUND), "stft": (STFT(), SOUND)}
"""Samples of those that are not of pictures, or that need arguments; any other is taken with its defaults on a picture."""
SKIPPED = {"latent": "tested with an autoencoder", "spoken": "tested with a synthesiser"}
every = pytest.mark.parametrize("name", sorted(set(names("parametrisations")) - set(SKIPPED)))


def case(name: str) -> tuple[Parametrisation, Domain]:
    return CASES[name] if name in CASES else (find("parametrisations", name)(), PICTURE)


@every
def test_the_start_is_the_same_for_every_sample(name: str) -> None:
    parametrisation, domain = case(name)
    theta = parametrisation.start(domain, 3, 7)
    assert theta.dtype == torch.float32
    assert len(theta) == 3
    assert all(torch.equal(theta[0], row) for row in theta)
    assert torch.equal(theta[:1], parametrisation.start(domain, 1, 7))
    assert not torch.equal(theta, parametrisation.start(domain, 3, 8))
    theta[0] = 0  # rows are apart
    assert theta[1].abs().max() > 0


@every
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_shape_bounds_and_samples(name: str, share: float) -> None:
    parametrisation, domain = case(name)
    theta = parametrisation.start(domain, 3, 0) * torch.tensor([1.0, 30.0, 0.5]).view(3, *(1,) * (theta_axes(name) - 1))
    x = parametrisation(theta, domain, share)
    assert x.shape == (3, *domain.shape)
    assert x.isfinite().all()
    assert domain.bounds is not None
    assert domain.bounds[0] <= x.min() <= x.max() <= domain.bounds[1]
    assert not torch.allclose(x[0], x[1])
    for row in range(3):
        torch.testing.assert_close(parametrisation(theta[row : row + 1], domain, share)[0], x[row], rtol=1e-5, atol=1e-6)


@every
def test_the_gradient_reaches_theta(name: str) -> None:
    parametrisation, domain = case(name)
    theta = parametrisation.start(domain, 2, 0).requires_grad_()
    weight = torch.randn(domain.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((weight * parametrisation(theta, domain)).sum(), theta)
    assert gradient.isfinite().all()
    assert (gradient[0] != 0).double().mean() > 0.9
    torch.testing.assert_close(gradient[0], gradient[1])


def theta_axes(name: str) -> int:
    parametrisation, domain = case(name)
    return parametrisation.start(domain, 1, 0).ndim


@pytest.mark.parametrize("parametrisation", [Waveform(), STFT()])
def test_sounds_only(parametrisation: Parametrisation) -> None:
    for other in (PICTURE, replace(SOUND, shape=(80, 300))):
        with pytest.raises(ObvertError, match=r"need sounds \(1, S\)"):
            parametrisation.start(other, 1, 0)


@pytest.mark.parametrize("samples", [100, 511, 512, 5000])
@pytest.mark.parametrize("window", [64, 512])
def test_a_transform_fills_sounds_of_any_length(samples: int, window: int) -> None:
    domain = replace(SOUND, shape=(1, samples))
    x = (p := STFT(window=window))(p.start(domain, 1, 0), domain)
    assert x.shape == (1, 1, samples)
    assert x[0, 0, -5:].abs().max() > 1e-4


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_a_start_is_as_loud_and_as_low_as_asked_for(decay: float) -> None:
    domain = replace(SOUND, shape=(1, 60_000))
    p = STFT(decay=decay, knee=1, scale=0.02)
    x = p(p.start(domain, 1, 0), domain)
    assert x.std().item() == pytest.approx(0.02, rel=0.1)
    assert spectrum_slope(x, within=(0.01, 0.45)).item() == pytest.approx(-2 * decay, abs=0.1)
    w = Waveform(scale=0.02)
    assert w(w.start(domain, 1, 0), domain).std().item() == pytest.approx(0.02, rel=0.02)


def test_small_numbers_stay_as_they_are_whatever_the_bounds() -> None:
    theta = torch.tensor([[[-9.0, -0.01, 0.0, 0.02, 9.0]]])
    assert Waveform()(theta, SOUND)[0, 0].tolist() == pytest.approx([-1, -0.01, 0, 0.02, 1], abs=1e-5)
    assert torch.equal(Waveform()(theta, replace(SOUND, bounds=None)), theta)
    assert Waveform()(theta, replace(SOUND, bounds=(0.0, 4.0)))[0, 0].tolist() == pytest.approx([0, 1.99, 2, 2.02, 4], abs=1e-3)


def test_wrong_settings_are_refused() -> None:
    for kind, wrong in ((Waveform, {"scale": 0}), (STFT, {"window": 30}), (STFT, {"decay": -1}), (STFT, {"knee": 0})):
        with pytest.raises(ValueError, match="need"):
            kind(**wrong)  # type: ignore[operator]
