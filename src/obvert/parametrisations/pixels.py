"""Pixels as networks take them: grey is 0, and what lies beyond black and white is cut off.

x = clip(centre + spread theta),    theta ~ N(0, 1)

A solver that keeps theta within `limit` never leaves the picture (`Clipped`).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from obvert.core import Domain, Parametrisation
from obvert.parametrisations._bounds import normal, picture


@dataclass(frozen=True, kw_only=True)
class Pixels(Parametrisation):
    """Normalised pixels."""

    centre: float = 0.5
    """Where theta is 0."""
    spread: float = 0.27
    """What theta of 1 adds: the deviation that CLIP divides by."""

    def __post_init__(self) -> None:
        if not self.spread > 0:
            raise ValueError(f"need spread > 0, got {self.spread}")

    @property
    def limit(self) -> float:
        """Of theta, where the farther end of [0, 1] is reached."""
        return max(self.centre, 1 - self.centre) / self.spread

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        picture(domain, "pixels")
        return normal(domain.shape, count, seed)

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        x = self.centre + self.spread * theta
        return x if domain.bounds is None else x + (x.clamp(*domain.bounds) - x).detach()
