"""Phases only: the amplitudes of a picture's spectrum stay those of natural pictures.

    x = sigmoid(irfft2(m exp(i theta))),    theta ~ N(0, 1),    m = contrast / f^decay

What a picture shows is in its phases. With the amplitudes held, no optimiser can write fine noise.

References:
    | Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization (Fel et al., 2023)
    | https://arxiv.org/abs/2306.06805
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, Parametrisation
from obvert.parametrisations._bounds import bounded, normal, picture
from obvert.parametrisations.fourier import both_halves, falling


@dataclass(frozen=True, kw_only=True)
class Phase(Parametrisation):
    """Phases of a 2-D Fourier transform under fixed amplitudes; the mean of each channel is free."""

    decay: float = 1.2
    """Power of the frequency by which amplitudes fall."""
    contrast: float = 1.5
    """Deviation of a channel, before the sigmoid."""

    def __post_init__(self) -> None:
        if not (self.decay >= 0 and self.contrast > 0):
            raise ValueError(f"need decay >= 0 and contrast > 0, got {self}")

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        channels, height, width = picture(domain, "phase")
        theta = normal((channels, height, width // 2 + 1), count, seed) * math.pi
        theta[..., 0, 0] = 0
        return theta

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        _, height, width = picture(domain, "phase")
        amplitude = falling(height, width, self.decay).to(theta)
        amplitude[0, 0] = 0
        power = (both_halves(width).to(theta) * amplitude.square()).sum() / (height * width)
        x = torch.fft.irfft2(torch.polar(amplitude.expand_as(theta).contiguous(), theta), s=(height, width), norm="ortho")
        return bounded(x * (self.contrast / power.sqrt()) + theta[..., :1, :1], domain)
