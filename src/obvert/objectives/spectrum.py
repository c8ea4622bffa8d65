"""A power spectrum like that of real sounds or pictures.

    mean over bands of (log P_b(x) - log P*_b)^2

P* is given by real data, or is a power law whose level is free: its slope is the exponent of power over frequency, -2 for
photographs, -1 for pink noise.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from obvert.core import Objective, ObvertError
from obvert.spectra import bands


@dataclass(frozen=True, kw_only=True)
class Spectrum(Objective):
    """Distance of log power in bands of one third octave, as the term "spectrum", in squared nats."""

    slope: float | None = None
    """Exponent of a power law at any level; or"""
    target: Tensor | None = None
    """(F,) log power in each band, see `Spectrum.of`."""
    floor: float = 1e-10
    """Added to the power, so that its logarithm has a gradient everywhere."""

    def __post_init__(self) -> None:
        if (self.slope is None) == (self.target is None) or not self.floor > 0:
            raise ValueError(f"need a slope or a target, one of them, and floor > 0, got {self}")

    @classmethod
    def of(cls, real: Tensor, floor: float = 1e-10) -> Spectrum:
        """Towards the mean log power of real sounds (B, 1, S) or pictures (B, C, H, W) of the size that is searched for."""
        return cls(target=(bands(real.detach().float())[1] + floor).log().mean(0), floor=floor)

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Of x (B, 1, S) or (B, C, H, W)."""
        frequency, power = bands(x)
        level = (power + self.floor).log()
        if self.target is None:
            apart = level - (self.slope or 0.0) * frequency.log()
            apart = apart - apart.mean(1, keepdim=True)
        elif len(self.target) == len(frequency):
            apart = level - self.target.to(level)
        else:
            raise ObvertError(f"need a spectrum of {len(frequency)} bands for {tuple(x.shape[1:])}, got {len(self.target)}")
        return {"spectrum": apart.square().mean(1)}
