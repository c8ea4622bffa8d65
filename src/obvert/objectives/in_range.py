"""What lies beyond a range: for unknowns that no parametrisation bounds, e.g. a free log-mel spectrogram.

mean (x - clip(x, low, high))^2
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from obvert.core import Objective


@dataclass(frozen=True, kw_only=True)
class InRange(Objective):
    """Mean squared excess, as the term "range"; 0 within the bounds."""

    low: float = 0.0
    """Least that costs nothing."""
    high: float = 1.0
    """Most that costs nothing."""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"need low < high, got {self}")

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        excess = (self.low - x).clamp(min=0) + (x - self.high).clamp(min=0)
        return {"range": excess.square().flatten(1).mean(1)}
