"""Another solver whose points are brought back into a range after each step, as pixels are.

x = clamp(inner(x), low, high)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from obvert.core import Eval, Solver
from obvert.solvers.adam import Adam


@dataclass(frozen=True, kw_only=True)
class Clipped(Solver[Any]):
    """Projection onto a box."""

    inner: Solver[Any] = field(default_factory=Adam)
    """Makes the steps."""
    low: float = -math.inf
    """Least value."""
    high: float = math.inf
    """Greatest value."""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"need low < high, got {self.low} and {self.high}")

    def init(self, x: Tensor) -> Any:
        return self.inner.init(x)

    def step(self, x: Tensor, now: Eval, state: Any) -> tuple[Tensor, Any]:
        moved, state = self.inner.step(x, now, state)
        return moved.clamp(self.low, self.high), state

    def by_gradient(self, step: int) -> bool:
        return self.inner.by_gradient(step)
