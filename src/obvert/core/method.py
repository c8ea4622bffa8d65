"""Methods: one paper each, and the inversion it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from obvert.core.model import Card
from obvert.core.search import Progress, Solution


@dataclass(frozen=True, kw_only=True)
class Inversion:
    """A solution and how it came about."""

    method: str
    """Name of the method, as in the registry."""
    settings: dict[str, Any]
    """The method's fields."""
    model: Card
    target: Tensor
    """(B, ...) the wanted y."""
    seed: int
    seconds: float
    """Wall-clock of the whole batch."""
    versions: dict[str, str]
    solution: Solution
    features: Tensor
    """Output of the model at x: (B, d) unit-norm features of a tower, (B, C, ...) media of a decoder or a writer; of a
    reader, whose output is text, x itself as media."""
    snapshot_features: dict[int, Tensor] = field(default_factory=dict)
    """{step: (B, ...)} the same at the asked-for steps."""
    texts: list[str] = field(default_factory=list)
    """What a reader reads at x, or the tokens nearest to a writer's x; none for other models."""
    snapshot_texts: dict[int, list[str]] = field(default_factory=dict)
    """{step: texts} at the asked-for steps."""

    @property
    def x(self) -> Tensor:
        """(B, ...) the inputs found."""
        return self.solution.x

    @property
    def error(self) -> Tensor:
        """(B,) error at x."""
        return self.solution.error

    @property
    def steps(self) -> Tensor:
        """(B,) steps taken."""
        return self.solution.steps

    @property
    def trace(self) -> Tensor:
        """(T + 1, B) error along the way."""
        return self.solution.trace

    @property
    def status(self) -> Tensor:
        """(B,) how each ended, see `Status`."""
        return self.solution.status

    def cpu(self) -> Inversion:
        """The same with every tensor in main memory."""
        s = self.solution
        moved = replace(
            s,
            x=s.x.cpu(),
            error=s.error.cpu(),
            steps=s.steps.cpu(),
            status=s.status.cpu(),
            trace=s.trace.cpu(),
            terms={k: v.cpu() for k, v in s.terms.items()},
            snapshots={k: v.cpu() for k, v in s.snapshots.items()},
        )
        features = {k: v.cpu() for k, v in self.snapshot_features.items()}
        return replace(self, target=self.target.cpu(), features=self.features.cpu(), solution=moved, snapshot_features=features)


class Method(ABC):
    """One paper: a frozen keyword-only dataclass, `method(model, target, seed=0) -> Inversion`."""

    @abstractmethod
    def __call__(self, model: Any, target: Any, *, seed: int = 0, progress: Progress | None = None) -> Inversion:
        """Find x with model(x) close to target."""
