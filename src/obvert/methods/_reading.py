"""What the inversions of readers share: search for a medium that is read as a wanted text.

min over theta:   mean over looks of -1/T log p(text | look(x)) + priors(x),      x = parametrisation(theta)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from obvert.core import (
    Answer,
    Autoencoder,
    Diffusion,
    Domain,
    DualEncoder,
    Inversion,
    Method,
    Objective,
    ObvertError,
    Parametrisation,
    Progress,
    Reader,
    Solution,
    Solver,
    View,
    Writer,
    descent,
)
from obvert.core.autoencoder import Media
from obvert.methods._join import join, share, together
from obvert.objectives.reading import Reading
from obvert.parametrisations.free import Free
from obvert.provenance import clock, describe, versions
from obvert.solvers.adam import Adam
from obvert.solvers.iterate import iterate


@dataclass(frozen=True, kw_only=True)
class ReaderInversion(Method):
    """Texts -> media that a reader reads as these texts."""

    space: Literal["medium", "network"] = "medium"
    """Where x lies: a "medium", or what the "network" takes of it, most of which no medium has."""
    parametrisation: Parametrisation = field(default_factory=Free)
    """What stands for x."""
    views: tuple[View, ...] = ()
    """Random changes of x, in this order, before the network sees it; drawn anew at each step."""
    looks: int = 1
    """Views of x whose mean is taken at each step."""
    priors: tuple[Objective, ...] = ()
    """Added to the cross-entropy, of x itself; weigh them as in `0.1 * TotalVariation()`."""
    solver: Solver[Any] = field(default_factory=lambda: Adam(lr=0.05))
    """Update rule."""
    steps: int = 500
    """Steps."""
    snapshots: Sequence[int] = ()
    """Steps whose x is returned besides."""
    batch: int = 8
    """Texts a search runs at once; the result does not depend on it."""
    media: ClassVar[Media]
    """Of the readers it inverts."""

    def __post_init__(self) -> None:
        if self.steps < 0 or self.looks < 1 or self.batch < 1:
            raise ValueError(f"need steps >= 0, looks >= 1 and batch >= 1, got {self.steps}, {self.looks} and {self.batch}")
        if self.space not in ("medium", "network"):
            raise ValueError(f"need space to be 'medium' or 'network', got {self.space!r}")

    def domain(self, model: Reader) -> Domain:
        """Of x."""
        return model.medium if self.space == "medium" else model.features

    def __call__(self, model: Reader, target: Sequence[str], *, seed: int = 0, progress: Progress | None = None) -> Inversion:
        """Invert a reader.

        Args:
            model: the reader.
            target: B texts that it should read.
            seed: of the start and of the views.
            progress: called with (steps done, total, mean error).

        Returns:
            x (B, *shape) in its space, `features` the media (B, *medium.shape) within their bounds, `texts` what the model
            reads at x, `target` the ids of the wanted tokens.

        Raises:
            ObvertError: for a model of other media, or texts that it cannot say.
        """
        if not isinstance(model, Reader) or model.medium.media != self.media:
            raise ObvertError(f"need a reader of {self.media}s, got {what_it_is(model)}")
        texts = [target] if isinstance(target, str) else list(target)
        answer = model.answer(texts)
        return self._invert(model, texts, answer, lambda rows: [Reading(model, part(answer, rows))], seed, progress)

    def _invert(
        self,
        model: Reader,
        texts: list[str],
        answer: Answer,
        fits: Callable[[slice], Sequence[Objective]],
        seed: int,
        progress: Progress | None,
    ) -> Inversion:
        """Invert batch by batch; `fits` gives, for some of the texts, what looks are judged by, in turn."""
        began, domain = clock(model.device), self.domain(model)
        batches = [slice(first, min(first + self.batch, len(texts))) for first in range(0, len(texts), self.batch)]
        solution = join(
            [
                self._search(model, fits(rows), domain, rows.stop - rows.start, seed, share(progress, i, len(batches)))
                for i, rows in enumerate(batches)
            ]
        )
        return Inversion(
            method=_name(type(self)),
            settings=describe(self) | {"texts": texts},
            model=model.card,
            target=answer.ids,
            seed=seed,
            seconds=clock(model.device) - began,
            versions=versions(),
            solution=solution,
            features=self._by_batch(lambda x: self.medium(model, x), solution.x),
            texts=self.read(model, solution.x),
            snapshot_features={k: self._by_batch(lambda x: self.medium(model, x), x) for k, x in solution.snapshots.items()},
            snapshot_texts={k: self.read(model, x) for k, x in solution.snapshots.items()},
        )

    def _search(
        self, model: Reader, fits: Sequence[Objective], domain: Domain, count: int, seed: int, progress: Progress | None
    ) -> Solution:
        step = -1

        def field(theta: Tensor) -> Any:
            nonlocal step
            step += 1
            return descent(_Looks(self, model, domain, fits, seed, step))(theta)

        theta = self.parametrisation.start(domain, count, seed).to(model.device)
        found = iterate(field, self.solver, theta, max_steps=self.steps, snapshots=self.snapshots, progress=progress)
        shares = {k: k / max(1, self.steps) for k in found.snapshots}
        with torch.no_grad():
            return replace(
                found,
                x=self.parametrisation(found.x, domain),
                snapshots={k: self.parametrisation(x, domain, shares[k]) for k, x in found.snapshots.items()},
            )

    @torch.no_grad()
    def medium(self, model: Reader, x: Tensor) -> Tensor:
        """What is found, as a medium within its bounds."""
        found = x if self.space == "medium" else model.back(x)
        return found if model.medium.bounds is None else found.clamp(*model.medium.bounds)

    @torch.no_grad()
    def read(self, model: Reader, x: Tensor) -> list[str]:
        """What the model reads at x."""
        seen = [model.front(list(part)) if self.space == "medium" else part for part in x.split(self.batch)]
        return [text for part in seen for text in model.generate(part)]

    def _by_batch(self, call: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return torch.cat([call(part) for part in x.split(self.batch)])


def what_it_is(model: Any) -> str:
    """A model's name, and what it is good for."""
    if isinstance(model, Reader):
        kind = f"a reader of {model.medium.media}s"
    elif isinstance(model, Writer):
        kind = f"a writer of {model.media}s"
    elif isinstance(model, Autoencoder):
        kind = f"an autoencoder of {model.media}s"
    elif isinstance(model, Diffusion):
        kind = "a text-to-image pipeline"
    else:
        kind = "a dual encoder" if isinstance(model, DualEncoder) else f"a {type(model).__name__}"
    return f"{model.card.name}, {kind}" if hasattr(model, "card") else kind


@dataclass(frozen=True)
class _Looks(Objective):
    """Cross-entropy over random looks, and priors, at one step."""

    method: ReaderInversion
    model: Reader
    domain: Domain
    fits: Sequence[Objective]
    seed: int
    step: int

    def __call__(self, theta: Tensor) -> dict[str, Tensor]:
        method = self.method
        x = method.parametrisation(theta, self.domain, self.step / max(1, method.steps))
        looks = max(method.looks if method.views else 1, len(self.fits))
        total: dict[str, Tensor] = {}
        for look in range(looks):
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.step) * 97 + look)
            y = x
            for view in method.views:
                y = view(y, self.domain, generator)
            fit = self.fits[look % len(self.fits)]
            for name, value in fit(y if method.space == "network" else self.model.front(list(y))).items():
                total[name] = total.get(name, 0) + value / looks
        return together(total, method.priors, x)


def part(answer: Answer, rows: slice) -> Answer:
    """Some of the texts of an answer."""
    return Answer(answer.ids[rows], answer.mask[rows])


def _name(kind: type) -> str:
    return kind.__module__.rsplit(".", 1)[-1].replace("_", "-")
