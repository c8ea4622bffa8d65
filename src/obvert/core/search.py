"""Searching: maps, objectives, fields, solvers, and the solutions they come to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

S = TypeVar("S")


class ObvertError(ValueError):
    """Something a user can put right; its message is one line: what was needed, what came."""


class Status(IntEnum):
    """How the iteration of one sample ended."""

    STEPS = 0
    """It took all its steps."""
    CONVERGED = 1
    """Its error fell to the tolerance."""
    STOPPED = 2
    """The stop rule ended it."""
    NON_FINITE = 3
    """Its error or direction stopped being a number; the best point before that is kept."""


class Eval(NamedTuple):
    """What a field says at a point."""

    error: Tensor
    """(B,) error of each sample."""
    direction: Tensor
    """Like x: the direction to move against."""
    terms: Mapping[str, Tensor] = {}
    """{name: (B,)} the parts of the error."""
    residual: Tensor | None = None
    """(B, ...) what should become 0, where that is not the direction itself, e.g. pixels, for solvers that fit it."""


Field = Callable[[Tensor], Eval]
"""x (B, ...) -> Eval. Whether the direction is a gradient or a residual is the field's own affair."""


@dataclass(frozen=True, kw_only=True)
class Map:
    """A frozen, differentiable function and its domain."""

    call: Callable[[Tensor], Tensor]
    """(B, *shape) -> (B, ...)."""
    shape: tuple[int, ...]
    """Shape of one input."""
    scale: float = 1.0
    """Deviation of the normal draw a search starts from."""
    bounds: tuple[float, float] | None = None
    """Range of a valid input; None when it is free."""

    def __call__(self, x: Tensor) -> Tensor:
        return self.call(x)

    def start(self, count: int, seed: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Tensor:
        """Where a search starts: one normal draw, the same for every sample, so that a batch equals its samples.

        Args:
            count: samples B.
            seed: of the draw, which is made on the CPU and thus the same everywhere.
            device: of the result.
            dtype: of the result.

        Returns:
            (B, *shape).
        """
        draw = torch.randn(self.shape, generator=torch.Generator().manual_seed(seed))
        return (self.scale * draw).to(device, dtype).expand(count, *self.shape).clone()


class Objective(ABC):
    """x -> {term: (B,)}. Objectives add (`a + b`) and scale (`0.1 * a`)."""

    @abstractmethod
    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """The terms of the loss at x, one value a sample."""

    def __add__(self, other: Objective) -> Objective:
        return _Sum((self, other))

    def __rmul__(self, weight: float) -> Objective:
        return _Scaled(float(weight), self)


@dataclass(frozen=True)
class _Sum(Objective):
    parts: tuple[Objective, ...]

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for part in self.parts:
            for name, value in part(x).items():
                terms[name] = terms[name] + value if name in terms else value
        return terms


@dataclass(frozen=True)
class _Scaled(Objective):
    weight: float
    inner: Objective

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        return {name: self.weight * value for name, value in self.inner(x).items()}


def descent(objective: Objective) -> Field:
    """The field of gradient descent on an objective.

    The loss of a batch is the SUM over its samples, so that a sample's gradient does not depend on the others.

    Args:
        objective: x -> {term: (B,)}, differentiable.

    Returns:
        The field: error is the sum of the terms, direction its gradient.
    """

    def evaluate(x: Tensor) -> Eval:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            terms = objective(x)
            error = torch.stack(tuple(terms.values())).sum(0)
            (direction,) = torch.autograd.grad(error.sum(), x)
        return Eval(error.detach(), direction, {name: value.detach() for name, value in terms.items()})

    return evaluate


class Solver(ABC, Generic[S]):
    """Turns directions into steps. A frozen dataclass whose fields are its whole configuration; its state is per sample."""

    @abstractmethod
    def init(self, x: Tensor) -> S:
        """The state before the first step."""

    @abstractmethod
    def step(self, x: Tensor, now: Eval, state: S) -> tuple[Tensor, S]:
        """The next point and state, from what the field says at x."""

    def by_gradient(self, step: int) -> bool:
        """Whether this solver, at this step, needs the gradient of the squared residual as its direction."""
        return False


class Stop(ABC):
    """A per-sample stop rule: it sees errors, never labels."""

    @abstractmethod
    def __call__(self, errors: Tensor) -> Tensor:
        """(steps so far, B) errors, oldest first -> (B,) bool: stop here."""


@dataclass(frozen=True, kw_only=True)
class Solution:
    """What an iteration found, sample by sample."""

    x: Tensor
    """(B, ...) the points."""
    error: Tensor
    """(B,) their errors."""
    steps: Tensor
    """(B,) int64 steps taken to reach them."""
    status: Tensor
    """(B,) int64, see `Status`."""
    trace: Tensor
    """(T + 1, B) error before each step and after the last; a sample that ended keeps its last value."""
    terms: dict[str, Tensor] = field(default_factory=dict)
    """{name: (B,)} parts of the error at the points."""
    snapshots: dict[int, Tensor] = field(default_factory=dict)
    """{step: (B, ...)} the points at asked-for steps."""


Progress = Callable[[int, int, float], None]
"""Called now and then with (done, total, mean error)."""
