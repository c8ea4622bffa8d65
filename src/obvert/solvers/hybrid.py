"""First some steps without gradients, then Gauss-Newton by secants: the encoder comes near cheaply, gradients finish.

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), for the first part
    | https://arxiv.org/abs/2409.18442
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from obvert.core import Eval, Solver
from obvert.solvers.anderson import Anderson
from obvert.solvers.gn_secant import GNSecant


class Relay(NamedTuple):
    """How many steps were taken, and the state of the solver that runs."""

    taken: int
    state: Any


@dataclass(frozen=True, kw_only=True)
class Hybrid(Solver[Relay]):
    """One solver, then another."""

    steps: int = 4
    """Steps of the first."""
    first: Solver[Any] = field(default_factory=Anderson)
    """Solver of the first steps."""
    then: Solver[Any] = field(default_factory=lambda: GNSecant(memory=8))
    """Solver of all others; it starts afresh."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"need steps >= 1, got {self}")

    def by_gradient(self, step: int) -> bool:
        return self.first.by_gradient(step) if step < self.steps else self.then.by_gradient(step - self.steps)

    def init(self, x: Tensor) -> Relay:
        return Relay(0, self.first.init(x))

    def step(self, x: Tensor, now: Eval, state: Relay) -> tuple[Tensor, Relay]:
        solver = self.first if state.taken < self.steps else self.then
        moved, inner = solver.step(x, now, self.then.init(x) if state.taken == self.steps else state.state)
        return moved, Relay(state.taken + 1, inner)
