"""Every number by itself: pixels, bins of a spectrogram.

    x = theta                                       theta ~ N(0, scale^2), where the domain has no bounds
    x = low + (high - low) sigmoid(theta)           where it has

Nothing is preferred: what is found is whatever the model answers to, most often noise to people.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, Parametrisation
from obvert.parametrisations._bounds import bounded, normal


@dataclass(frozen=True, kw_only=True)
class Free(Parametrisation):
    """Numbers of their own."""

    scale: float = 1.0
    """Deviation of the start."""

    def __post_init__(self) -> None:
        if not self.scale >= 0:
            raise ValueError(f"need scale >= 0, got {self.scale}")

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        return self.scale * normal(domain.shape, count, seed)

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        return bounded(theta, domain)


def white(domain: Domain, count: int, seed: int) -> Tensor:
    """(B, *shape) noise within the bounds, as `Free` starts: what nothing was found in."""
    return bounded(normal(domain.shape, count, seed), domain)


def flat(domain: Domain) -> Tensor:
    """(1, *shape) the middle of the bounds, or 0."""
    return bounded(torch.zeros(1, *domain.shape), domain)
