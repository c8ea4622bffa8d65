"""Decoder inversion by gradients, as people do it today, with every trick that helps it.

    z* = argmin_z  sum (D(z) - x)^2,    z_0 = E(x),    Adam

The fair baseline of gradient-free inversion: 16-bit networks, checkpointing and chunks are open to it too, and a
target that was clipped is not held against an output beyond the same bound.

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), section 5, its baseline
    | https://arxiv.org/abs/2409.18442
    | Training Deep Nets with Sublinear Memory Cost (Chen et al., 2016)
    | https://arxiv.org/abs/1604.06174
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from obvert.core import Autoencoder, Inversion, Method, Progress, Solution, Stop
from obvert.methods._latents import PRECISIONS, gradient_field, invert_decoder
from obvert.solvers.adam import Adam
from obvert.solvers.iterate import iterate
from obvert.solvers.scheduled_adam import ScheduledAdam


@dataclass(frozen=True, kw_only=True)
class GradientDecoderInversion(Method):
    """Pictures, video or sound -> latents of a decoder, by Adam on the picture's error."""

    lr: float = 0.1
    """Highest step size; the paper's are .1 with a schedule and .01 fixed."""
    schedule: Literal["cosine", "fixed"] = "cosine"
    """Ten per cent of warm-up and a cosine over all steps, or none."""
    max_steps: int = 100
    """Steps."""
    stop: Stop | None = None
    """A per-sample stop rule; all steps when None."""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """Of the networks; the search's own state is fp32."""
    checkpointing: bool = False
    """Keep what goes into each of the decoder's blocks only and run them twice: less memory, more time, the same result. For
    models that tell their blocks: those of diffusers, for pictures and sound."""
    chunk: int = 0
    """Media whose graph is held at a time, of a batch, or frames where each is a picture of its own; all when 0."""
    snapshots: Sequence[int] = ()
    """Steps whose latents are returned besides."""
    batch: int = 8
    """Media a search runs at once; halved where memory does not suffice. The result does not depend on it."""

    def __post_init__(self) -> None:
        if self.max_steps < 0 or self.batch < 1 or self.chunk < 0 or self.precision not in PRECISIONS:
            raise ValueError(f"need max_steps >= 0, batch >= 1, chunk >= 0 and precision in {', '.join(PRECISIONS)}, got {self}")
        if self.schedule not in ("cosine", "fixed"):
            raise ValueError(f"need schedule 'cosine' or 'fixed', got {self.schedule!r}")

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
            cropped like the target.
        """
        return invert_decoder(
            self,
            "gradient-decoder-inversion",
            model,
            target,
            self._search,
            precision=self.precision,
            batch=self.batch,
            seed=seed,
            progress=progress,
        )

    def _search(self, model: Autoencoder, media: Tensor, progress: Progress | None) -> Solution:
        with torch.no_grad():
            start = model.to_latents(model.padded(media)).float()
        eps = 1e-8 if self.precision == "fp32" else 1e-4
        fixed = self.schedule == "fixed" or not self.max_steps
        return iterate(
            gradient_field(model, media, chunk=self.chunk, checkpointing=self.checkpointing),
            Adam(lr=self.lr, eps=eps) if fixed else ScheduledAdam(lr=self.lr, horizon=self.max_steps, until=1.0, eps=eps),
            start,
            max_steps=self.max_steps,
            stop=self.stop,
            snapshots=self.snapshots,
            check_every=1,
            progress=progress,
        )
