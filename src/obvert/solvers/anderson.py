"""Anderson acceleration, per sample: the step that would have made the last residuals vanish, were the map linear.

    gamma = (dR' dR + ridge I)^-1 dR' r        x_{k+1} = x_k - dX gamma - damping (T_k - dT gamma)

with the differences dX, dT and dR of the last points, directions T and residuals r. The residual is the direction
itself, or, with `pixels`, what the field gives beside it: for a decoder, what is still wrong with the picture. One
solve of a `memory` x `memory` system a sample; the ridge is relative to the mean of its diagonal.

References:
    | Iterative Procedures for Nonlinear Integral Equations (Anderson, 1965)
    | Anderson Acceleration for Fixed-Point Iterations (Walker and Ni, 2011)
    | https://doi.org/10.1137/10078356X
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from obvert.core import Eval, Solver


class History(NamedTuple):
    """The last points, oldest first; each entry is (B, n)."""

    points: tuple[Tensor, ...]
    directions: tuple[Tensor, ...]
    residuals: tuple[Tensor, ...]


def remember(history: History, x: Tensor, now: Eval, *, pixels: bool, memory: int) -> History:
    """The history with one more point, at most `memory` + 1 in all: so many differences can be made of it."""
    if pixels and now.residual is None:
        raise ValueError("need a field that gives a residual beside its direction, got one without")
    residual = now.direction if not pixels or now.residual is None else now.residual
    new = (x.flatten(1), now.direction.flatten(1), residual.flatten(1))
    old = (history.points, history.directions, history.residuals)
    return History(*((*kept, added)[-memory - 1 :] for kept, added in zip(old, new, strict=True)))


def fit(history: History, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """Least squares of the last residual in the differences of all.

    Args:
        history: two points or more.
        ridge: added to the diagonal, relative to its mean.

    Returns:
        gamma (B, m), and the differences dX and dT, each (B, n, m).
    """
    dx, dt, dr = (_differences(rows) for rows in history)
    gram = dr.mT @ dr
    size = gram.diagonal(dim1=1, dim2=2).mean(1)
    lift = ridge * size + torch.finfo(gram.dtype).tiny
    gram = gram + lift[:, None, None] * torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    gamma, _ = torch.linalg.solve_ex(gram, dr.mT @ history.residuals[-1][:, :, None])
    return gamma[:, :, 0], dx, dt


def _differences(rows: tuple[Tensor, ...]) -> Tensor:
    return torch.stack([later - earlier for earlier, later in pairwise(rows)], dim=2)


@dataclass(frozen=True, kw_only=True)
class Anderson(Solver[History]):
    """Anderson acceleration."""

    memory: int = 5
    """Differences that are kept, at least 1."""
    damping: float = 0.7
    """Share of the residual left after mixing that a step takes off, beta."""
    ridge: float = 1e-3
    """On the diagonal of the least-squares system, relative to its mean."""
    pixels: bool = False
    """Choose the mixture by the field's residual (of a decoder: in pixels) rather than by its direction."""

    def __post_init__(self) -> None:
        if not (self.memory >= 1 and self.damping > 0 and self.ridge >= 0):
            raise ValueError(f"need memory >= 1, damping > 0 and ridge >= 0, got {self}")

    def init(self, x: Tensor) -> History:
        return History((), (), ())

    def step(self, x: Tensor, now: Eval, state: History) -> tuple[Tensor, History]:
        state = remember(state, x, now, pixels=self.pixels, memory=self.memory)
        left, moved = state.directions[-1], state.points[-1]
        if len(state.points) > 1:
            gamma, dx, dt = fit(state, self.ridge)
            moved = moved - (dx @ gamma[:, :, None])[:, :, 0]
            left = left - (dt @ gamma[:, :, None])[:, :, 0]
        return (moved - self.damping * left).view_as(x), state
