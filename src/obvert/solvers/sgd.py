"""Gradient descent with momentum: m = momentum * m + g, x = x - lr * m. It takes any direction, gradient or not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Eval, Solver


@dataclass(frozen=True, kw_only=True)
class SGD(Solver[Tensor]):
    """Gradient descent with momentum."""

    lr: float = 1e-1
    """Step size; 1 with no momentum is the plain fixed-point iteration on a residual."""
    momentum: float = 0.0
    """Share of the last move kept, in [0, 1)."""

    def __post_init__(self) -> None:
        if not (self.lr > 0 and 0 <= self.momentum < 1):
            raise ValueError(f"need lr > 0 and 0 <= momentum < 1, got {self}")

    def init(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    def step(self, x: Tensor, now: Eval, state: Tensor) -> tuple[Tensor, Tensor]:
        velocity = self.momentum * state + now.direction
        return x - self.lr * velocity, velocity
