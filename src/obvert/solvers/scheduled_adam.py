"""Adam whose step size rises, falls along a cosine, and may freeze before the end. It takes any direction.

    lr_k = least + (lr min(1, (k + 1) / w) - least) (1 + cos(pi k / c)) / 2,  w = warmup * horizon,  c = until * horizon

and `least`, usually 0, from step c on. Fed with the residual E(D(z)) - E(x) as if it were a gradient, with `until` = .8, it is
the variant of gradient-free decoder inversion that its authors run; fed with gradients it is their baseline.

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024)
    | https://arxiv.org/abs/2409.18442
    | SGDR: Stochastic Gradient Descent with Warm Restarts (Loshchilov and Hutter, 2017), for the cosine
    | https://arxiv.org/abs/1608.03983
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from obvert.core import Eval, Solver
from obvert.solvers.adam import Adam, Moments


@dataclass(frozen=True, kw_only=True)
class ScheduledAdam(Solver[Moments]):
    """Adam with warm-up and cosine; the defaults are the paper's gradient-free variant in fp32."""

    lr: float = 1e-2
    """Highest step size."""
    horizon: int = 100
    """Steps that the schedule spans."""
    warmup: float = 0.1
    """Share of the horizon over which the step size rises."""
    until: float = 0.8
    """Share of the horizon at which it is least."""
    least: float = 0.0
    """Step size from there on; 0 stands still."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the two moments, each in [0, 1)."""
    eps: float = 1e-8
    """Added to the root of the second moment; 1e-4 with 16-bit networks, as published."""
    weight_decay: float = 0.0
    """Share of x taken off at each step, times the step size; positive makes it AdamW."""

    def __post_init__(self) -> None:
        if not (self.lr > self.least >= 0 and self.horizon >= 1 and 0 <= self.warmup < self.until <= 1):
            raise ValueError(f"need lr > least >= 0, horizon >= 1 and 0 <= warmup < until <= 1, got {self}")
        Adam(lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay)  # its own conditions

    def rate(self, step: int) -> float:
        """The step size of a step, counted from 0."""
        share = step / (self.until * self.horizon)
        rise = min(1.0, (step + 1) / max(1.0, self.warmup * self.horizon))
        fall = (1 + math.cos(math.pi * share)) / 2 if share < 1 else 0.0
        return self.least + (self.lr * rise - self.least) * fall

    def init(self, x: Tensor) -> Moments:
        return Adam().init(x)

    def step(self, x: Tensor, now: Eval, state: Moments) -> tuple[Tensor, Moments]:
        rate = self.rate(state.steps)
        adam = Adam(lr=rate or 1.0, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay)
        moved, state = adam.step(x, now, state)
        return (moved if rate else x), state
