"""A sound or spectrogram that begins a little earlier or later; what leaves at one end comes in at the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, ObvertError, View
from obvert.views._domain import whole


@dataclass(frozen=True, kw_only=True)
class TimeShift(View):
    """A shift along time, uniform up to `seconds` either way."""

    seconds: float = 0.05
    """Furthest shift; 0 changes nothing."""

    def __post_init__(self) -> None:
        if not self.seconds >= 0:
            raise ValueError(f"need seconds >= 0, got {self.seconds}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        if domain.media != "sound" or domain.rate is None:
            rate = "an unknown rate" if domain.media == "sound" else f"a {domain.media}"
            raise ObvertError(f"need sounds of a known rate for the view time-shift, got {rate}")
        most = min(round(self.seconds * domain.rate), domain.shape[-1] // 2)
        return x.roll(whole(generator, -most, most), dims=-1)
