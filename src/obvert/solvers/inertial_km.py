"""Inertial Krasnoselskii-Mann: extrapolate along the last move, then take the forward step from there.

    y_k = z_k + inertia * (z_k - z_{k-1})        z_{k+1} = y_k - step_size * T(y_k),    step_size = 2 lambda beta

The points that the field sees are the y_k. For a beta-cocoercive T it converges when

    0 <= inertia < 1    and    lambda (1 - inertia + 2 inertia^2) < (1 - inertia)^2

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), theorem 2
    | https://arxiv.org/abs/2409.18442
    | Weak Convergence of the Inertial Krasnosel'skii-Mann Iteration (Mainge, 2008; Bot et al., 2015)
    | https://arxiv.org/abs/1401.3530
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from obvert.core import Eval, Solver


@dataclass(frozen=True, kw_only=True)
class InertialKM(Solver[Tensor]):
    """Inertial Krasnoselskii-Mann iteration; the defaults are the paper's."""

    step_size: float = 1e-3
    """Share of the residual that a step takes off, 2 lambda beta."""
    inertia: float = 0.9
    """Share of the last move that is extrapolated, in [0, 1)."""
    beta: float | None = None
    """Cocoercivity of the residual, where it is known: then the theorem's condition is checked."""

    def __post_init__(self) -> None:
        if not (self.step_size > 0 and 0 <= self.inertia < 1 and (self.beta is None or self.beta > 0)):
            raise ValueError(f"need step_size > 0, 0 <= inertia < 1 and beta > 0 where given, got {self}")
        if self.beta is not None and not self.step_size < self.largest_step(self.inertia, self.beta):
            raise ValueError(
                f"need lambda (1 - a + 2 a^2) < (1 - a)^2 with lambda = step_size / (2 beta), inertia a = {self.inertia}: "
                f"for beta = {self.beta} a step_size below {self.largest_step(self.inertia, self.beta):.3g}, got {self.step_size}"
            )

    @staticmethod
    def largest_step(inertia: float, beta: float) -> float:
        """The step size below which the theorem holds, 2 beta (1 - a)^2 / (1 - a + 2 a^2)."""
        return 2 * beta * (1 - inertia) ** 2 / (1 - inertia + 2 * inertia**2)

    def init(self, x: Tensor) -> Tensor:
        return x

    def step(self, x: Tensor, now: Eval, state: Tensor) -> tuple[Tensor, Tensor]:
        moved = x - self.step_size * now.direction
        return moved + self.inertia * (moved - state), moved
