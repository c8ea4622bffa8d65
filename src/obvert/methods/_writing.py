"""What the inversions of writers share: search for embeddings or prompts from which a wanted medium is written.

prompt       p = theta
embeddings   p = prompt(start, theta_1 .. theta_n, end)
tokens       p = prompt(start, nearest(theta_1) .. nearest(theta_n), end),   gradient straight through

min over theta:   mismatch(p, medium) + priors(theta)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.core import Diffusion, Inversion, Method, Objective, ObvertError, Progress, Solution, Solver, Writer, descent
from obvert.core.autoencoder import Media
from obvert.core.drawing import as_writer
from obvert.methods._join import join, share, together
from obvert.methods._reading import what_it_is
from obvert.provenance import clock, describe, versions
from obvert.solvers.adam import Adam
from obvert.solvers.iterate import iterate


@dataclass(frozen=True, kw_only=True)
class WriterInversion(Method):
    """Media -> what a writer has to be told to write them."""

    unknown: Literal["prompt", "embeddings", "tokens"] = "prompt"
    """What is searched for: all that the generator is told; embeddings of tokens, which the text tower reads; or tokens."""
    tokens: int = 8
    """Places of a text that are searched, for embeddings and tokens; what the model puts around a text stays around them."""
    fit: Literal["write", "denoise"] = "write"
    """Compare what is written, or, for diffusion models, denoise the medium at random times, which needs no walk."""
    priors: tuple[Objective, ...] = ()
    """Added to the mismatch, of theta (B, ...)."""
    solver: Solver[Any] = field(default_factory=lambda: Adam(lr=0.05))
    """Update rule."""
    steps: int = 300
    """Steps."""
    snapshots: Sequence[int] = ()
    """Steps whose x is returned besides."""
    batch: int = 8
    """Media a search runs at once; the result does not depend on it."""
    media: ClassVar[Media]
    """Of the writers it inverts."""

    def __post_init__(self) -> None:
        if self.steps < 0 or self.tokens < 1 or self.batch < 1:
            raise ValueError(f"need steps >= 0, tokens >= 1 and batch >= 1, got {self.steps}, {self.tokens} and {self.batch}")
        for name, known in (("unknown", ("prompt", "embeddings", "tokens")), ("fit", ("write", "denoise"))):
            if getattr(self, name) not in known:
                raise ValueError(f"need {name} in {', '.join(known)}, got {getattr(self, name)!r}")

    def __call__(
        self, model: Writer | Diffusion, target: Tensor | Sequence[Tensor], *, seed: int = 0, progress: Progress | None = None
    ) -> Inversion:
        """Invert a writer.

        Args:
            model: the writer, or a text-to-image pipeline.
            target: media (B, C, ...) of its kind, or a list of equally large ones.
            seed: of the start, and of times and noise where the fit draws them.
            progress: called with (steps done, total, mean error).

        Returns:
            x what was searched for: (B, *p) prompts or (B, n, d) embeddings; `features` the media written from it; `texts`
            the tokens nearest to each of its rows.

        Raises:
            ObvertError: for a model of other media, or a target that it does not write.
        """
        if isinstance(model, Diffusion):
            model = as_writer(model)
        if not isinstance(model, Writer) or model.medium.media != self.media:
            raise ObvertError(f"need a writer of {self.media}s, got {what_it_is(model)}")
        if self.fit == "denoise" and model.denoising is None:
            raise ObvertError(f"need fit 'write' for {model.card.name}, which does not denoise, got 'denoise'")
        began = clock(model.device)
        wanted = (target if isinstance(target, Tensor) else torch.stack(list(target))).to(model.device, torch.float32)
        total = max(1, -(-len(wanted) // self.batch))
        parts = wanted.split(self.batch)
        solution = join([self._search(model, part, seed, share(progress, i, total)) for i, part in enumerate(parts)])
        return Inversion(
            method=type(self).__module__.rsplit(".", 1)[-1].replace("_", "-"),
            settings=describe(self),
            model=model.card,
            target=wanted,
            seed=seed,
            seconds=clock(model.device) - began,
            versions=versions(),
            solution=solution,
            features=self.written(model, solution.x),
            texts=self.spelled(model, solution.x),
            snapshot_features={k: self.written(model, x) for k, x in solution.snapshots.items()},
            snapshot_texts={k: self.spelled(model, x) for k, x in solution.snapshots.items()},
        )

    def _search(self, model: Writer, wanted: Tensor, seed: int, progress: Progress | None) -> Solution:
        step = -1

        def look(theta: Tensor) -> Any:
            nonlocal step
            step += 1
            return descent(_Mismatch(self, model, wanted, seed * 1_000_003 + step))(theta)

        found = iterate(
            look,
            self.solver,
            self._start(model, len(wanted), seed),
            max_steps=self.steps,
            snapshots=self.snapshots,
            progress=progress,
        )
        if self.unknown != "tokens":
            return found
        whole = {k: nearest(model, x)[1] for k, x in found.snapshots.items()}
        return replace(found, x=nearest(model, found.x)[1], snapshots=whole)

    @torch.no_grad()
    def _start(self, model: Writer, count: int, seed: int) -> Tensor:
        """Normal noise with the mean and the deviation of what texts give: of the vocabulary, or of the empty prompt."""
        known = _empty(model) if self.unknown == "prompt" else model.vocabulary.float()
        shape = known.shape[1:] if self.unknown == "prompt" else (self.tokens, known.shape[1])
        first, past = model.words
        if self.unknown != "prompt" and self.tokens > past - first:
            raise ObvertError(f"need at most {past - first} tokens for {model.card.name}, got {self.tokens}")
        draw = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(model.device)
        return (known.mean() + known.std() * draw).expand(count, *shape).clone()

    def prompts(self, model: Writer, theta: Tensor) -> Tensor:
        """(B, *p) prompts of what is searched for, differentiable."""
        if self.unknown == "prompt":
            return theta
        rows = theta if self.unknown == "embeddings" else theta + (nearest(model, theta)[1] - theta).detach()
        return model.prompt(model.sentence(rows))

    @torch.no_grad()
    def written(self, model: Writer, x: Tensor) -> Tensor:
        """The media of what was found; sounds that are not as long as the longest end in silence."""
        parts = [model.write(self.prompts(model, part)) for part in x.split(self.batch)]
        longest = max(part.shape[-1] for part in parts)
        return torch.cat([torch.nn.functional.pad(part, (0, longest - part.shape[-1])) for part in parts])

    @torch.no_grad()
    def spelled(self, model: Writer, x: Tensor) -> list[str]:
        """The tokens nearest to each row of what was found."""
        rows = model.states(x) if self.unknown == "prompt" else x
        if rows.shape[-1] != model.vocabulary.shape[1]:
            return []
        return [" ".join(model.spell(ids)) for ids in nearest(model, rows)[0]]


@dataclass(frozen=True)
class _Mismatch(Objective):
    method: WriterInversion
    model: Writer
    wanted: Tensor
    seed: int

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        prompts = self.method.prompts(self.model, x)
        if self.method.fit == "write" or self.model.denoising is None:
            terms = {"mismatch": self.model.mismatch(prompts, self.wanted)}
        else:
            terms = {"denoising": self.model.denoising(prompts, self.wanted, torch.Generator().manual_seed(self.seed))}
        return together(terms, self.method.priors, x)


def nearest(model: Writer, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens nearest to rows, by cosine, among those that a text may hold.

    Args:
        model: whose vocabulary.
        rows: (B, n, d).

    Returns:
        (B, n) ids and (B, n, d) their embeddings.
    """
    table = model.vocabulary.to(rows)
    closeness = normalize(rows, dim=-1) @ normalize(table, dim=-1).T
    if model.choices is not None:
        closeness = closeness.masked_fill(~model.choices.to(closeness.device), -torch.inf)
    ids = closeness.argmax(-1)
    return ids, table[ids]


def _empty(model: Writer) -> Tensor:
    return model.prompt(model.embed(model.tokens([""]).to(model.device)))
