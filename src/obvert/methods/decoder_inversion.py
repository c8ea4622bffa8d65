"""Gradient-free decoder inversion: the latents z behind a picture x, found with the encoder alone.

    T(z) = E(D(z)) - E(x),    z_0 = E(x),    z* with T(z*) = 0

Each evaluation decodes and encodes once; nothing is differentiated, so that memory stays near that of the encoder. The
default solver is Anderson acceleration, which needs a fraction of the evaluations of the published inertial
Krasnoselskii-Mann iteration. It stops where the picture's error stops falling fast, or, near the floor that rounding to
8 bits leaves, where it stands still: an encoder that is not its decoder's inverse leads away again beyond. `Hybrid` and
`GNSecant` take gradients of the picture's error for what the encoder cannot tell, and their memory.

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024)
    | https://arxiv.org/abs/2409.18442
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from obvert.core import Autoencoder, Eval, Inversion, Method, Progress, Solution, Solver, Stop
from obvert.methods._latents import PRECISIONS, encoder_field, gradient_field, invert_decoder, mismatch, shorter
from obvert.solvers.anderson import Anderson
from obvert.solvers.forward import ForwardStep
from obvert.solvers.iterate import iterate
from obvert.solvers.residual_rate import ROUNDING, ResidualRate

RATES: dict[type, float] = {Anderson: 0.2, ForwardStep: 0.1}
"""Decibels a step must gain for these solvers to go on, where the stop rule is "auto"; others take all their steps. Measured
on zoo/vae and zoo/vae-tiny; for an encoder that hardly matches its decoder `ResidualRate()`, which asks 2, ends sooner."""


@dataclass(frozen=True, kw_only=True)
class DecoderInversion(Method):
    """Pictures, video or sound -> latents of a decoder."""

    solver: Solver[Any] = field(default_factory=Anderson)
    """Update rule."""
    max_steps: int = 50
    """Most steps."""
    stop: Stop | Literal["auto"] | None = "auto"
    """A per-sample stop rule; "auto" is the residual's rate for solvers that over-iterate, and gives the step of least error
    before it; None takes all steps."""
    tol: float = 0.0
    """Mean squared error of the picture at which a sample has converged."""
    guard: float | None = 2.0
    """A step that raises the picture's error above this many times is refused and a quarter of it tried; None allows all."""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """Of the networks; the search's own state is fp32."""
    snapshots: Sequence[int] = ()
    """Steps whose latents are returned besides."""
    batch: int = 8
    """Media a search runs at once; halved where memory does not suffice. The result does not depend on it."""

    def __post_init__(self) -> None:
        if self.max_steps < 0 or self.batch < 1 or self.precision not in PRECISIONS:
            raise ValueError(f"need max_steps >= 0, batch >= 1 and precision in {', '.join(PRECISIONS)}, got {self}")
        if isinstance(self.stop, str) and self.stop != "auto":
            raise ValueError(f"need a stop rule, 'auto' or None, got {self.stop!r}")

    def __call__(
        self, model: Autoencoder, target: Tensor | Sequence[Tensor], *, seed: int = 0, progress: Progress | None = None
    ) -> Inversion:
        """Invert a decoder.

        Args:
            model: the autoencoder.
            target: media (B, C, ...) within the model's bounds, or a list of equally large ones. Sizes that the model does
                not take are padded, with a warning.
            seed: recorded only: the search starts at E(x) and draws nothing.
            progress: called with (steps done, total, mean squared error).

        Returns:
            x the latents, error the mean squared error of each picture, `features` the decoded media, within bounds and
            cropped like the target; terms["latent"] is |T|^2 / |E(x)|^2.
        """
        found = invert_decoder(
            self,
            "decoder-inversion",
            model,
            target,
            self._search,
            precision=self.precision,
            batch=self.batch,
            seed=seed,
            progress=progress,
        )
        if self.max_steps > 1 and mismatch(found.solution):
            warnings.warn(
                f"the residual grew from the first step on: the encoder of {model.card.name} hardly matches its decoder; "
                f"try {shorter(self.solver)}gradients (GradientDecoderInversion, --gradient), which only start from it",
                stacklevel=2,
            )
        return found

    def _search(self, model: Autoencoder, media: Tensor, progress: Progress | None) -> Solution:
        with torch.no_grad():
            start = model.to_latents(model.padded(media)).float()
        by_encoder, by_gradient = encoder_field(model, media, start), gradient_field(model, media)
        step = -1

        def look(z: Tensor) -> Eval:
            nonlocal step
            step += 1
            if not self.solver.by_gradient(step):
                return by_encoder(z)
            return by_gradient(z)

        stop = self.rule(media)
        return iterate(
            look,
            self.solver,
            start,
            max_steps=self.max_steps,
            tol=self.tol,
            stop=stop,
            guard=self.guard,
            keep="best" if self.stop == "auto" and stop else "last",  # so that it is never worse than the encoder alone
            snapshots=self.snapshots,
            check_every=1,
            progress=progress,
        )

    def rule(self, media: Tensor) -> Stop | None:
        """The stop rule of a search.

        Args:
            media: (B, C, ...) what is searched for.

        Returns:
            `stop`; for "auto" what suits the solver, with the floor that rounding leaves in media of 8 bits.
        """
        if not isinstance(self.stop, str):
            return self.stop
        if type(self.solver) not in RATES:
            return None
        steps = media * 255
        rounded = ((steps - steps.round()).abs() < 1e-3).flatten(1).all(1)
        return ResidualRate(decibels=RATES[type(self.solver)], floor=torch.where(rounded, ROUNDING, 0.0))
