"""Adam, and AdamW when `weight_decay` is positive, with per-sample moments.

    m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
    x = (1 - lr * decay) x - lr * m / (1 - b1^k) / (sqrt(v / (1 - b2^k)) + eps)

References:
    | Adam: A Method for Stochastic Optimization (Kingma and Ba, 2015)
    | https://arxiv.org/abs/1412.6980
    | Decoupled Weight Decay Regularization (Loshchilov and Hutter, 2019)
    | https://arxiv.org/abs/1711.05101
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from obvert.core import Eval, Solver


class Moments(NamedTuple):
    """State of Adam."""

    mean: Tensor
    square: Tensor
    steps: int


@dataclass(frozen=True, kw_only=True)
class Adam(Solver[Moments]):
    """Adam / AdamW."""

    lr: float = 1e-2
    """Step size."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the two moments, each in [0, 1)."""
    eps: float = 1e-8
    """Added to the root of the second moment."""
    weight_decay: float = 0.0
    """Share of x taken off at each step, times lr; positive makes it AdamW."""

    def __post_init__(self) -> None:
        if not (self.lr > 0 and all(0 <= b < 1 for b in self.betas) and self.eps > 0 and self.weight_decay >= 0):
            raise ValueError(f"need lr > 0, betas within [0, 1), eps > 0 and weight_decay >= 0, got {self}")

    def init(self, x: Tensor) -> Moments:
        return Moments(torch.zeros_like(x), torch.zeros_like(x), 0)

    def step(self, x: Tensor, now: Eval, state: Moments) -> tuple[Tensor, Moments]:
        (b1, b2), k, direction = self.betas, state.steps + 1, now.direction
        mean = torch.lerp(state.mean, direction, 1 - b1)
        square = torch.lerp(state.square, direction * direction, 1 - b2)
        scale = (square / (1 - b2**k)).sqrt() + self.eps
        moved = (1 - self.lr * self.weight_decay) * x - self.lr / (1 - b1**k) * mean / scale
        return moved, Moments(mean, square, k)
