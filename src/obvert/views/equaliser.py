"""A sound through another room, microphone or throat: some octaves louder, others softer.

X(f) 10^(g(f) / 20),    g linear in log f between knots an octave apart, each N(0, decibels^2)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, ObvertError, View
from obvert.views._domain import waveform, within

LOWEST = 62.5
"""Hertz of the first knot; what lies below has its gain."""


@dataclass(frozen=True, kw_only=True)
class Equaliser(View):
    """A smooth random gain over frequency, the same for all."""

    decibels: float = 6.0
    """Deviation of each knot's gain; 0 changes nothing."""

    def __post_init__(self) -> None:
        if not self.decibels >= 0:
            raise ValueError(f"need decibels >= 0, got {self.decibels}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        samples = waveform(domain, "equaliser")
        if domain.rate is None:
            raise ObvertError("need sounds of a known rate for the view equaliser, got an unknown rate")
        if not self.decibels:
            return x
        top = max(1, math.ceil(math.log2(domain.rate / 2 / LOWEST)))
        knots = self.decibels * torch.randn(top + 1, generator=generator, dtype=torch.float64)
        hertz = torch.fft.rfftfreq(samples, 1 / domain.rate, dtype=torch.float64)
        place = (hertz.clamp(min=LOWEST) / LOWEST).log2().clamp(max=top)
        left = place.floor().long().clamp(max=top - 1)
        gain = torch.lerp(knots[left], knots[left + 1], place - left)
        gain[0] = 0  # what a microphone does not hear stays
        heard = torch.fft.irfft(torch.fft.rfft(x) * (10 ** (gain / 20)).to(x), samples)
        return within(heard, domain)
