"""The nouns of obvert: maps, objectives, fields, solvers, methods and what they return.

A frozen model maps x to y. A `Field` tells, at a point x, the error of each sample and a direction to move against; a
`Solver` turns directions into steps; `obvert.solvers.iterate` runs the two and returns a `Solution`; a `Method` sets
them up as one paper does and returns an `Inversion`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

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
    def step(self, x: Tensor, direction: Tensor, state: S) -> tuple[Tensor, S]:
        """The next point and state."""


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


@dataclass(frozen=True, kw_only=True)
class Card:
    """Who a model is."""

    name: str
    """As it was asked for."""
    family: str
    """The file of `obvert.models` that runs it."""
    revision: str = ""
    """Commit of a hub model; empty for a local folder."""
    licence: str = "unknown"
    sha256: str = ""
    """Of its weight file."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What its makers recorded: data, steps, minutes, scores."""


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
    """(B, d) unit-norm output of the model at x."""
    snapshot_features: dict[int, Tensor] = field(default_factory=dict)
    """{step: (B, d)} outputs at the asked-for steps."""

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


Progress = Callable[[int, int, float], None]
"""Called now and then with (done, total, mean error)."""


@runtime_checkable
class DualEncoder(Protocol):
    """Two towers into one space: CLIP, SigLIP and their kin. Features are (B, d), unit norm, fp32."""

    card: Card
    device: torch.device
    dimension: int
    """Length d of a feature."""
    default_patches: int
    """Pseudo-patches OVI uses on this backbone when told nothing else."""

    def image_features(self, pictures: Sequence[Tensor]) -> Tensor:
        """Features of pictures, each (3, H, W) in [0, 1]."""
        ...

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Features of texts."""
        ...

    def text_from_tokens(self, tokens: int) -> Map:
        """(B, tokens, d_token) pseudo-tokens after "a photo of" -> text features."""
        ...

    def image_from_patches(self, patches: int) -> Map:
        """(B, patches, d_vision) pseudo-patches, spread over the picture -> image features."""
        ...

    def projections(self) -> tuple[Tensor, Tensor]:
        """The last linear layers, image (d, d_vision) and text (d, d_text); ObvertError where a head has none."""
        ...


Modality = Literal["image", "text"]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What closed-form feature maps learn from; never labels, never queries."""

    image: Tensor | None = None
    """(N, d) unit-norm image features."""
    text: Tensor | None = None
    """(M, d) unit-norm text features of texts like those to be mapped."""
    names: Tensor | None = None
    """(K, d) unit-norm text features of names of things, for maps that learn what words tell apart."""
    projections: tuple[Tensor, Tensor] | None = None
    """Last linear layers of the model, image (d, d_vision) and text (d, d_text)."""


class FeatureMap(ABC):
    """A closed-form map of features: a frozen dataclass of settings; `fit` gives the fitted map."""

    @abstractmethod
    def fit(self, reference: Reference) -> Fitted:
        """Learn from a reference; ObvertError when it lacks what is needed."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted feature map: f -> normalise((f - shift) @ matrix.T), one pair a modality."""

    name: str
    """Of the feature map, as in the registry."""
    settings: dict[str, Any]
    shift: dict[str, Tensor]
    """{modality: (d,)}."""
    matrix: dict[str, Tensor]
    """{modality: (d, d)}."""

    def __call__(self, features: Tensor, modality: Modality) -> Tensor:
        """Map features (B, d) of one modality; the result is unit norm."""
        if modality not in self.shift:
            raise ObvertError(f"{self.name} was fitted without {modality} features; fit it with them")
        if features.shape[-1] != len(self.shift[modality]):
            raise ObvertError(
                f"{self.name} was fitted on features of length {len(self.shift[modality])}, got {features.shape[-1]}"
            )
        moved = (features - self.shift[modality].to(features)) @ self.matrix[modality].to(features).T
        return torch.nn.functional.normalize(moved, dim=-1)


class Method(ABC):
    """One paper: a frozen keyword-only dataclass, `method(model, target, seed=0) -> Inversion`."""

    @abstractmethod
    def __call__(self, model: Any, target: Tensor, *, seed: int = 0, progress: Progress | None = None) -> Inversion:
        """Find x with model(x) close to target."""
