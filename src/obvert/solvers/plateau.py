"""Stop a sample when its error has stopped falling fast: the last `window` steps took off less than a share `drop`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Stop


@dataclass(frozen=True, kw_only=True)
class Plateau(Stop):
    """Stop at the first step where error_k > (1 - drop) * error_{k - window}."""

    window: int = 10
    """Steps to look back, at least 1."""
    drop: float = 0.05
    """Share of the error that the window must take off to go on, in (0, 1)."""

    def __post_init__(self) -> None:
        if self.window < 1 or not 0 < self.drop < 1:
            raise ValueError(f"need window >= 1 and 0 < drop < 1, got {self}")

    def __call__(self, errors: Tensor) -> Tensor:
        if len(errors) <= self.window:
            return torch.zeros(errors.shape[1], dtype=torch.bool, device=errors.device)
        return errors[-1] > (1 - self.drop) * errors[-1 - self.window]
