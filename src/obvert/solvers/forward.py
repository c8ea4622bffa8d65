"""The forward step: x_{k+1} = x_k - step_size * T(x_k), the plain damped fixed-point iteration.

For a residual T with T(x*) = 0, ||T(x_k)|| goes to 0 when along the way <T(x_k), x_k - x*> >= beta ||T(x_k)||^2 and
0 < step_size < 2 beta. Where T is the identity minus a contraction, step_size 1 is the contraction itself.

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), theorem 1
    | https://arxiv.org/abs/2409.18442
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from obvert.core import Eval, Solver


@dataclass(frozen=True, kw_only=True)
class ForwardStep(Solver[None]):
    """The forward step."""

    step_size: float = 0.5
    """Share of the residual that a step takes off."""

    def __post_init__(self) -> None:
        if not self.step_size > 0:
            raise ValueError(f"need step_size > 0, got {self}")

    def init(self, x: Tensor) -> None:
        return None

    def step(self, x: Tensor, now: Eval, state: None) -> tuple[Tensor, None]:
        return x - self.step_size * now.direction, None
