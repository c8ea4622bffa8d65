"""Parametrisations of pictures: what each holds fixed, what it prefers, and how it grows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from obvert.core import Autoencoder, Domain, ObvertError, Parametrisation
from obvert.metrics import spectrum_slope
from obvert.parametrisations.coarse_to_fine import CoarseToFine
from obvert.parametrisations.fourier import Fourier, falling
from obvert.parametrisations.free import Free
from obvert.parametrisations.latent import Latent
from obvert.parametrisations.multi_resolution import MultiResolution
from obvert.parametrisations.phase import Phase

PICTURE = Domain(media="picture", shape=(3, 64, 48), bounds=(0.0, 1.0))
OPEN = replace(PICTURE, bounds=None)
SOUND = Domain(media="sound", shape=(80, 30))


def render(parametrisation: Parametrisation, domain: Domain, share: float = 1.0) -> torch.Tensor:
    return parametrisation(parametrisation.start(domain, 1, 0), domain, share)


def test_free_numbers_are_themselves_or_their_sigmoid() -> None:
    theta = Free(scale=2.0).start(OPEN, 1, 0)
    assert theta.std().item() == pytest.approx(2, rel=0.05)
    assert torch.equal(Free()(theta, OPEN), theta)
    torch.testing.assert_close(Free()(theta, PICTURE), theta.sigmoid())
    assert Free().start(SOUND, 2, 0).shape == (2, 80, 30)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("kind", [Fourier, Phase])
def test_spectra_fall_as_asked_for_with_the_contrast_asked_for(kind: type, decay: float) -> None:
    x = render(kind(decay=decay, contrast=0.7), replace(OPEN, shape=(3, 128, 128)))
    assert spectrum_slope(x, within=(0.02, 0.45)).item() == pytest.approx(-2 * decay, abs=0.25)
    assert x.std((2, 3)).mean().item() == pytest.approx(0.7, rel=0.35)


def test_phases_leave_amplitudes_as_they_are() -> None:
    method = Phase(decay=1.0)
    theta = method.start(OPEN, 1, 0)
    wanted = torch.fft.rfft2(method(theta, OPEN)).abs()
    theta[..., 1:, 1:-1] += 0.7
    inside = (..., slice(1, None), slice(1, -1))
    torch.testing.assert_close(torch.fft.rfft2(method(theta, OPEN)).abs()[inside], wanted[inside], rtol=1e-3, atol=1e-3)
    theta[..., 0, 0] = 2.0
    torch.testing.assert_close(method(theta, OPEN).mean((2, 3)), torch.full((1, 3), 2.0), rtol=0, atol=1e-4)


def test_a_sum_of_grids_has_pixels_and_a_mean() -> None:
    method = MultiResolution()
    assert method.grids(PICTURE) == [(1, 1), (2, 2), (4, 3), (8, 6), (16, 12), (32, 24), (64, 48)]
    assert MultiResolution(fine=4).grids(PICTURE)[-1] == (16, 12)
    theta = torch.zeros_like(method.start(OPEN, 1, 0))
    theta[:, :3] = torch.tensor([1.0, 2.0, 3.0])  # the coarsest grid is a pixel
    torch.testing.assert_close(method(theta, OPEN), torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1).expand(1, 3, 64, 48))
    theta[:, -1] += 1
    assert ((method(theta, OPEN)[0, 2] - 3).abs() > 0.1).nonzero().tolist() == [[63, 47]]


def test_a_coarse_picture_gains_pixels_until_it_has_all() -> None:
    method = CoarseToFine(first=4, grown=0.5)
    theta = method.start(PICTURE, 1, 0)
    rough = [(x - render(Free(), PICTURE)).abs().mean().item() for x in (method(theta, PICTURE, s) for s in (0, 0.2, 0.4, 0.5))]
    assert rough[0] > rough[1] > rough[2] > rough[3] == 0
    assert method(theta, PICTURE, 0).std() < 0.3 * render(Free(), PICTURE).std()
    inner = CoarseToFine(inner=Fourier(), first=64)
    assert torch.equal(render(inner, PICTURE, 0.0), render(Fourier(), PICTURE))


def halves() -> Autoencoder:
    def decode(z: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(z, scale_factor=2.0)

    return Autoencoder.from_functions(lambda x: x[..., ::2, ::2], decode, multiple=(2, 2))


def test_latents_are_decoded_within_bounds_and_lead_back_from_beyond() -> None:
    method = Latent(autoencoder=halves(), scale=2.0)
    theta = method.start(PICTURE, 2, 0).requires_grad_()
    assert theta.shape == (2, 3, 32, 24)
    assert torch.equal(theta[0], theta[1])
    x = method(theta, PICTURE)
    torch.testing.assert_close(x, torch.nn.functional.interpolate(theta, scale_factor=2.0).clamp(0, 1))
    (gradient,) = torch.autograd.grad(x.sum(), theta)
    assert (gradient == 4).all()


def test_domains_that_do_not_fit_are_refused() -> None:
    for method in (Fourier(), Phase(), MultiResolution(), CoarseToFine()):
        with pytest.raises(ObvertError, match=r"need pictures \(C, H, W\) for the parametrisation .*, got a sound"):
            method.start(SOUND, 1, 0)
    with pytest.raises(ObvertError, match=r"need pictures within .* for latents of functions, got sounds within None"):
        Latent(autoencoder=halves()).start(SOUND, 1, 0)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Free, {"scale": -1}),
        (Fourier, {"contrast": 0}),
        (Phase, {"decay": -1}),
        (MultiResolution, {"fine": 0}),
        (CoarseToFine, {"grown": 0}),
    ],
)
def test_wrong_settings_are_refused(kind: type, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need"):
        kind(**wrong)


def test_frequencies_are_counted_in_cycles_a_picture() -> None:
    assert falling(8, 8, 1.0)[0].tolist() == pytest.approx([1, 1, 1 / 2, 1 / 3, 1 / 4])
