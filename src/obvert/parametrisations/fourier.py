"""The spectrum of a picture, scaled so that a step moves what is coarse more than what is fine.

    x = sigmoid(contrast * irfft2(theta / f^decay)),    theta ~ N(0, 1), complex

Natural pictures have amplitudes that fall as 1 / f; in these coordinates they are as likely to be met as noise is in pixels.

References:
    | Feature Visualization (Olah et al., 2017)
    | https://distill.pub/2017/feature-visualization
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, Parametrisation
from obvert.parametrisations._bounds import bounded, normal, picture


@dataclass(frozen=True, kw_only=True)
class Fourier(Parametrisation):
    """Coefficients of a 2-D Fourier transform."""

    decay: float = 1.0
    """Power of the frequency by which amplitudes fall; 0 for white noise."""
    contrast: float = 1.0
    """Deviation of what the start gives, before the sigmoid."""

    def __post_init__(self) -> None:
        if not (self.decay >= 0 and self.contrast > 0):
            raise ValueError(f"need decay >= 0 and contrast > 0, got {self}")

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        channels, height, width = picture(domain, "fourier")
        return normal((channels, height, width // 2 + 1, 2), count, seed)

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        _, height, width = picture(domain, "fourier")
        scale = falling(height, width, self.decay).to(theta)
        power = (both_halves(width).to(theta) * scale.square()).sum() / (height * width)
        x = torch.fft.irfft2(torch.view_as_complex(theta.contiguous()) * scale, s=(height, width), norm="ortho")
        return bounded(x * (self.contrast / (2 * power).sqrt()), domain)


def falling(height: int, width: int, decay: float) -> Tensor:
    """(H, W // 2 + 1) amplitudes 1 / f^decay, f in cycles a picture, at least 1."""
    rows, columns = torch.fft.fftfreq(height) * height, torch.fft.rfftfreq(width) * width
    return (rows[:, None] ** 2 + columns[None] ** 2).sqrt().clamp(min=1) ** -decay


def both_halves(width: int) -> Tensor:
    """(W // 2 + 1,) how many frequencies of the whole spectrum each column of a half spectrum stands for."""
    times = torch.full((width // 2 + 1,), 2.0)
    times[0] = 1
    if width % 2 == 0:
        times[-1] = 1
    return times
