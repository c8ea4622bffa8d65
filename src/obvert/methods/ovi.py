"""Optimisation-based Visual Inversion: the pseudo-patches that make the image tower see what the text says.

    w* = argmin_w  1 - cos(image(w_1 .. w_P spread over the picture), text feature),    w ~ N(0, 0.02^2),  AdamW

The feature found lies among image features, so that comparing it with text features is what CLIP was trained for.

References:
    | Cross the Gap: Exposing the Intra-modal Misalignment in CLIP via Modality Inversion (Mistretta et al., 2025)
    | https://arxiv.org/abs/2502.04263
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from obvert.core import DualEncoder, Inversion, Method, Progress, Stop
from obvert.methods._features import match_features
from obvert.solvers.adam import Adam


@dataclass(frozen=True, kw_only=True)
class OVI(Method):
    """Text features -> pseudo-patches -> image features."""

    patches: int | None = None
    """Pseudo-patches P of each text; what was published for the backbone when None."""
    steps: int = 1000
    """Most steps of AdamW."""
    lr: float = 2e-2
    """Step size."""
    weight_decay: float = 0.01
    """Decay of AdamW."""
    stop: Stop | None = None
    """A per-sample stop rule, e.g. `Plateau()`; all steps when None, as published."""
    keep: str = "last"
    """Return the "last" point, as published, or the "best" by error."""
    snapshots: Sequence[int] = ()
    """Steps whose points and features are returned besides: one run gives the whole step curve."""
    batch: int = 64
    """Texts a search runs at once; the result does not depend on it."""

    def __post_init__(self) -> None:
        if (self.patches is not None and self.patches < 1) or self.steps < 0 or self.batch < 1:
            raise ValueError(f"need patches >= 1, steps >= 0 and batch >= 1, got {self.patches}, {self.steps} and {self.batch}")

    def __call__(self, model: DualEncoder, target: Tensor, *, seed: int = 0, progress: Progress | None = None) -> Inversion:
        """Invert text features.

        Args:
            model: a dual encoder.
            target: (B, d) text features.
            seed: of the start.
            progress: called with (steps done, total, mean error).

        Returns:
            x (B, P, d_vision) the pseudo-patches, features (B, d) their image features, unit norm.
        """
        return match_features(
            self,
            "ovi",
            model,
            model.image_from_patches(self.patches or model.default_patches),
            target,
            batch=self.batch,
            solver=Adam(lr=self.lr, weight_decay=self.weight_decay),
            steps=self.steps,
            stop=self.stop,
            keep=self.keep,
            snapshots=self.snapshots,
            seed=seed,
            progress=progress,
        )
