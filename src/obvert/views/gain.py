"""A sound, louder or softer; clipped where it would leave its bounds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, View
from obvert.views._domain import uniform, waveform, within


@dataclass(frozen=True, kw_only=True)
class Gain(View):
    """A gain, uniform in decibels up to `decibels` either way."""

    decibels: float = 6.0
    """Furthest from 0 dB; 0 changes nothing."""

    def __post_init__(self) -> None:
        if not self.decibels >= 0:
            raise ValueError(f"need decibels >= 0, got {self.decibels}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        waveform(domain, "gain")
        (level,) = uniform(generator, -self.decibels, self.decibels)
        return within(10 ** (level / 20) * x, domain)
