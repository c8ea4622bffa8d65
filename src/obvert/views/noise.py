"""Noise on top of a picture, a sound or a spectrogram.

x + s 10^(-snr / 20) n,    n ~ N(0, 1), s the deviation of each sample of the batch
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, View
from obvert.views._domain import uniform, within


@dataclass(frozen=True, kw_only=True)
class Noise(View):
    """Additive white noise at a random ratio of signal to noise; the same noise for all, as loud as each sample asks for."""

    least: float = 20.0
    """Lowest signal-to-noise ratio in decibels; infinity changes nothing."""
    most: float = 40.0
    """Highest, if that is more than the lowest."""

    def __post_init__(self) -> None:
        if not (self.least > -math.inf and math.isfinite(self.most)):
            raise ValueError(f"need two ratios in decibels, got {self}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        if math.isinf(self.least):
            return x
        (ratio,) = uniform(generator, self.least, max(self.least, self.most))
        noise = torch.randn(domain.shape, generator=generator).to(x)
        deviation = x.detach().flatten(1).std(1, correction=0).view(-1, *(1,) * len(domain.shape))
        return within(x + 10 ** (-ratio / 20) * deviation * noise, domain)
