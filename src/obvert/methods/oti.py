"""Optimisation-based Textual Inversion: the pseudo-tokens that make the text tower say what the picture says.

    v* = argmin_v  1 - cos(text("a photo of v_1 .. v_R"), image feature),    v ~ N(0, 0.02^2),  AdamW

The feature found lies among text features, so that comparing it with image features is what CLIP was trained for.

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
class OTI(Method):
    """Image features -> pseudo-tokens -> text features."""

    tokens: int = 1
    """Pseudo-tokens R of each picture."""
    steps: int = 150
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
    """Pictures a search runs at once; the result does not depend on it."""

    def __post_init__(self) -> None:
        if self.tokens < 1 or self.steps < 0 or self.batch < 1:
            raise ValueError(f"need tokens >= 1, steps >= 0 and batch >= 1, got {self.tokens}, {self.steps} and {self.batch}")

    def __call__(self, model: DualEncoder, target: Tensor, *, seed: int = 0, progress: Progress | None = None) -> Inversion:
        """Invert image features.

        Args:
            model: a dual encoder.
            target: (B, d) image features.
            seed: of the start.
            progress: called with (steps done, total, mean error).

        Returns:
            x (B, R, d_token) the pseudo-tokens, features (B, d) their text features, unit norm.
        """
        return match_features(
            self,
            "oti",
            model,
            model.text_from_tokens(self.tokens),
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
