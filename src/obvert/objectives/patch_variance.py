"""How much pixels vary within patches: what a patch embedding can see and an eye cannot is noise of this kind.

    mean over patches and channels of var(pixels of the patch)

References:
    | MIMIC (2025), second version, https://arxiv.org/abs/2508.07833
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from obvert.core import Objective, ObvertError


@dataclass(frozen=True, kw_only=True)
class PatchVariance(Objective):
    """Mean biased variance within patches, as the term "patch variance"; a rest smaller than a patch is left out."""

    patch: int = 14
    """Edge of a patch in pixels."""

    def __post_init__(self) -> None:
        if self.patch < 1:
            raise ValueError(f"need a patch of 1 pixel or more, got {self.patch}")

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Of pictures (B, C, H, W), at least as large as a patch."""
        if x.ndim != 4 or min(x.shape[-2:]) < self.patch:
            raise ObvertError(f"need pictures (B, C, H, W) of {self.patch} pixels or more, got {tuple(x.shape)}")
        patches = x.unfold(2, self.patch, self.patch).unfold(3, self.patch, self.patch)
        return {"patch variance": patches.flatten(4).var(-1, correction=0).flatten(1).mean(1)}
