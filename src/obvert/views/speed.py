"""A sound played faster or slower: tempo and pitch change together, as from one voice to another.

y(t) = x(t / r),   of the same length: silence after what ends early, cut what ends late
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.core import Domain, View
from obvert.views._domain import uniform, waveform, within


@dataclass(frozen=True, kw_only=True)
class Speed(View):
    """Resampling by a random factor, band-limited."""

    most: float = 1.15
    """Largest factor, at least 1; the factor's logarithm is uniform from 1 / most to most, and 1 changes nothing."""

    def __post_init__(self) -> None:
        if not 1 <= self.most < 2:
            raise ValueError(f"need most from 1 to below 2, got {self.most}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        samples = waveform(domain, "speed")
        (power,) = uniform(generator, -1, 1)
        length = round(samples / self.most**power)
        if length == samples:
            return x
        spectrum = torch.fft.rfft(pad(x, (0, samples)))  # twice the length, so that its end does not meet its beginning
        played = torch.fft.irfft(spectrum, 2 * length)[..., :samples] * (length / samples)  # shorter: the highest are left out
        return within(played, domain)
