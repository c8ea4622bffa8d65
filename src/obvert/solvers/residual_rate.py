"""Stop a sample when a step takes off less than so many decibels: it has learned what the field can tell it.

An encoder is not its decoder's exact inverse. Iterating on its residual first brings the latents nearer to the true
ones and then, slowly, away again; the error that can be seen keeps falling meanwhile, only no longer fast.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Stop


@dataclass(frozen=True, kw_only=True)
class ResidualRate(Stop):
    """Stop at the first step k where 10 log10(error_{k-1} / error_k) < decibels."""

    decibels: float = 2.0
    """Least gain of a step; 2 suits Anderson, 1 the forward step."""
    least: int = 1
    """Steps that are taken in any case, at least 1."""

    def __post_init__(self) -> None:
        if not (self.decibels > 0 and self.least >= 1):
            raise ValueError(f"need decibels > 0 and least >= 1, got {self}")

    def __call__(self, errors: Tensor) -> Tensor:
        if len(errors) <= self.least:
            return torch.zeros(errors.shape[1], dtype=torch.bool, device=errors.device)
        return errors[-1] > 10 ** (-self.decibels / 10) * errors[-2]
