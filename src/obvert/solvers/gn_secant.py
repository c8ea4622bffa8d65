"""Gauss-Newton by secants: fit the residual in the moves made so far, and go down the gradient for what they leave.

    gamma = (dR' dR + ridge I)^-1 dR' r        x_{k+1} = x_k - dX gamma - t (g_k - dG gamma)
    t = damping * min_i |dx_i|^2 / |dr_i|^2

dR = J dX to first order, so that - dX gamma is the Gauss-Newton step within the span of the last moves, without a
product with the Jacobian J; the gradient g = J' r that mixing leaves adds a new direction, its length a share of the
inverse of the steepest curvature met so far. The first step has no moves to learn from and goes `first` of |x| along g.

References:
    | Anderson Acceleration for Fixed-Point Iterations (Walker and Ni, 2011), whose least squares it shares
    | https://doi.org/10.1137/10078356X
    | Numerical Optimization (Nocedal and Wright, 2006), chapter 10
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from obvert.core import Eval, Solver
from obvert.solvers.anderson import History, fit, remember


@dataclass(frozen=True, kw_only=True)
class GNSecant(Solver[History]):
    """Gauss-Newton by secants; it needs the gradient of the squared residual as direction, and the residual."""

    memory: int = 20
    """Moves that are kept, at least 1."""
    damping: float = 1.0
    """Share of the inverse steepest curvature that a step goes along the gradient that is left."""
    ridge: float = 1e-3
    """On the diagonal of the least-squares system, relative to its mean."""
    first: float = 0.01
    """Length of the first step, as a share of |x|."""

    def __post_init__(self) -> None:
        if not (self.memory >= 1 and self.damping > 0 and self.ridge >= 0 and self.first > 0):
            raise ValueError(f"need memory >= 1, damping > 0, ridge >= 0 and first > 0, got {self}")

    def by_gradient(self, step: int) -> bool:
        return True

    def init(self, x: Tensor) -> History:
        return History((), (), ())

    def step(self, x: Tensor, now: Eval, state: History) -> tuple[Tensor, History]:
        state = remember(state, x, now, pixels=now.residual is not None, memory=self.memory)
        here, down = state.points[-1], state.directions[-1]
        tiny = torch.finfo(x.dtype).tiny
        if len(state.points) == 1:
            size = self.first * here.norm(dim=1, keepdim=True) / down.norm(dim=1, keepdim=True).clamp(min=tiny)
            return (here - size * down).view_as(x), state
        gamma, dx, dg = fit(state, self.ridge)
        steepest = torch.stack([(later - earlier).square().sum(1) for earlier, later in pairwise(state.residuals)], 1)
        length = (dx.square().sum(1) / steepest.clamp(min=tiny)).amin(1)
        left = down - (dg @ gamma[:, :, None])[:, :, 0]
        return (here - (dx @ gamma[:, :, None])[:, :, 0] - self.damping * length[:, None] * left).view_as(x), state
