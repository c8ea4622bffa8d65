"""The samples of a sound, each by itself.

    x = middle + half tanh(theta / half),    theta ~ N(0, scale^2)

The start is a little noise, not silence: of silence the gradient of a log-mel spectrogram is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, ObvertError, Parametrisation


@dataclass(frozen=True, kw_only=True)
class Waveform(Parametrisation):
    """Samples within their bounds."""

    scale: float = 0.01
    """Deviation of the start."""

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"need scale > 0, got {self.scale}")

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        samples = waveform(domain, "waveform")
        draw = torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))
        return (self.scale * draw).expand(count, 1, samples).clone()

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        return squashed(theta, domain)


def squashed(x: Tensor, domain: Domain) -> Tensor:
    """Free samples brought within the bounds by tanh, small ones nearly as they are; as they are where there are no bounds."""
    if domain.bounds is None:
        return x
    low, high = domain.bounds
    half = (high - low) / 2
    return low + half + half * (x / half).tanh()


def waveform(domain: Domain, name: str) -> int:
    """Samples of a domain of waveforms; ObvertError for another."""
    if domain.media != "sound" or len(domain.shape) != 2 or domain.shape[0] != 1:
        raise ObvertError(f"need sounds (1, S) for the parametrisation {name}, got a {domain.media} {domain.shape}")
    return domain.shape[1]
