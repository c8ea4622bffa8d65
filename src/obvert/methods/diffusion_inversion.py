"""Diffusion inversion: the noise from which a deterministic sampler draws given latents.

A step of the sampler is affine in what the network says, and only the point that is sought is unknown:

    z' = c z + d u(z, t)        the sampler's step from z at time t: DDIM, or Euler for a flow
    z  = (z' - d u(z, t)) / c   its inverse, implicit in z: backward Euler

With a' and s' the signal and noise that a step goes to: for epsilon c = a'/a and d = s' - s a'/a; for the velocity
c = a'a + s's and d = s'a - a's; for a flow c = 1 and d = s' - s. Naive inversion puts the known point into the network,
u(z', t), and errs at every step; a solver finds the z that the step maps to z', from the residual z - (z' - d u(z, t)) / c.

References:
    | Denoising Diffusion Implicit Models (Song et al., 2021), for the naive inversion
    | https://arxiv.org/abs/2010.02502
    | On Exact Inversion of DPM-Solvers (Hong et al., 2024), for backward Euler
    | https://arxiv.org/abs/2311.18387
    | Effective Real Image Editing with Accelerated Iterative Diffusion Inversion (Pan et al., 2023), for Anderson here
    | https://arxiv.org/abs/2309.04907
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from obvert.core import Diffusion, Eval, Inversion, Method, ObvertError, Progress, Solution, Solver, Status
from obvert.core.batches import by_batches
from obvert.core.diffusion import sample
from obvert.methods._join import join, share
from obvert.methods._latents import plain
from obvert.provenance import clock, versions
from obvert.solvers.iterate import iterate


@dataclass(frozen=True, kw_only=True)
class DiffusionInversion(Method):
    """Latents -> the noise they are drawn from."""

    steps: int = 50
    """Of the sampler that is inverted."""
    guidance: float = 1.0
    """Of the sampler that is inverted; 1 for none. The higher, the less the iteration contracts."""
    solver: Solver[Any] | None = None
    """Finds the point before each step, e.g. `ForwardStep(step_size=1.0)` or `Anderson(damping=1.0)`; naive when None."""
    iterations: int = 10
    """Most iterations of the solver at each step."""
    tol: float = 1e-12
    """Squared residual, relative to the latents, at which a step's iteration has converged; what is left
    of it adds up over the steps."""
    batch: int = 16
    """Latents a search runs at once; halved where memory does not suffice. The result does not depend on it."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.iterations < 1 or self.batch < 1 or not self.tol >= 0:
            raise ValueError(f"need steps, iterations and batch of at least 1 and tol >= 0, got {self}")

    def __call__(
        self,
        model: Diffusion,
        target: Tensor,
        captions: Sequence[str] | None = None,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Inversion:
        """Invert a sampler.

        Args:
            model: a text-to-image model.
            target: (B, *shape) latents, as the model's autoencoder gives them; those in fp64 are walked in fp64.
            captions: under which they are drawn, one each; empty ones when None.
            seed: recorded only: nothing is drawn.
            progress: called with (steps done, total, mean squared residual).

        Returns:
            x (B, *shape) the noise; `features` the latents drawn from it again; error their squared distance to the
            target, relative to it; steps: how often the network was asked for the noise; trace (steps, B): the squared
            residual, relative, with which each step of the walk was left, latents first; of the naive inversion, what
            it was before its one iteration. A sample has converged when all its steps have.

        Raises:
            ObvertError: for latents or captions that do not fit.
        """
        if tuple(target.shape[1:]) != tuple(model.shape) or not bool(target.isfinite().all()):
            raise ObvertError(f"need finite latents (B, {', '.join(map(str, model.shape))}), got {tuple(target.shape)}")
        captions = [""] * len(target) if captions is None else list(captions)
        if len(captions) != len(target):
            raise ObvertError(f"need a caption for each of {len(target)} latents, got {len(captions)}")
        began = clock(model.device)
        target = target.to(model.device, torch.promote_types(target.dtype, torch.float32))
        walked, _ = by_batches(
            lambda rows, done, total: self._walk(model, target[rows], captions[rows], share(progress, done, total)),
            len(target),
            self.batch,
            what="latents",
            stacklevel=3,
        )
        return Inversion(
            method="diffusion-inversion",
            settings=plain(self) | {"captions": captions},
            model=model.card,
            target=target,
            seed=seed,
            seconds=clock(model.device) - began,
            versions=versions(),
            solution=join([found for found, _ in walked]),
            features=torch.cat([drawn for _, drawn in walked]),
        )

    @torch.no_grad()
    def _walk(self, model: Diffusion, target: Tensor, captions: list[str], progress: Progress | None) -> tuple[Solution, Tensor]:
        """From latents to noise, and the latents drawn from it again."""
        walk, output = model.schedule(self.steps), model.prompted(captions, self.guidance)
        times, z = walk.times.to(model.device), target
        asked = torch.zeros(len(z), dtype=torch.int64, device=z.device)
        status = torch.full_like(asked, int(Status.STEPS if self.solver is None else Status.CONVERGED))
        trace: list[Tensor] = []
        for k in reversed(range(self.steps)):
            look = _before(z, *_coefficients(model, *walk.step(k)), output, times[k])
            if self.solver is None:
                now = look(z)
                z, left, asked = z - now.direction, now.error, asked + 1
                broken = ~z.flatten(1).isfinite().all(1)
                status = torch.where(broken, int(Status.NON_FINITE), status)
            else:
                found = iterate(look, self.solver, z, max_steps=self.iterations, tol=self.tol, keep="best", check_every=1)
                z, left = found.x, found.error
                asked = asked + 1 + torch.where(found.status == int(Status.STEPS), self.iterations, found.steps)
                status = torch.where(status == int(Status.CONVERGED), found.status, status)
                status = torch.where(found.status == int(Status.NON_FINITE), found.status, status)
            trace.append(left)
            if progress:
                progress(self.steps - k, self.steps, left.mean().item())
        again = sample(model, captions, steps=self.steps, guidance=self.guidance, noise=z)
        error = _squared(again - target) / _squared(target)
        return Solution(x=z, error=error, steps=asked, status=status, trace=torch.stack(trace)), again


def _coefficients(model: Diffusion, a: Tensor, s: Tensor, a_next: Tensor, s_next: Tensor) -> tuple[Tensor, Tensor]:
    """c and d of a step: what it makes of z alone and of the network's output alone."""
    one, none = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)

    def step(z: Tensor, out: Tensor) -> Tensor:
        x, n = model.clean_and_noise(z, out, a, s)
        return a_next * x + s_next * n

    return step(one, none), step(none, one)


def _before(
    after: Tensor, c: Tensor, d: Tensor, output: Callable[[Tensor, Tensor], Tensor], at: Tensor
) -> Callable[[Tensor], Eval]:
    """The residual of points that a step should map to `after`."""
    size, c, d = _squared(after), c.to(after), d.to(after)

    def look(z: Tensor) -> Eval:
        wrong = z - (after - d * output(z, at)) / c
        return Eval(_squared(wrong) / size, wrong)

    return look


def _squared(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(1)
