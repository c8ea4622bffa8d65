"""How much neighbours differ across the borders of patches: a vision transformer leaves a grid that no picture has.

    mean over horizontal seams of d^2  +  mean over vertical seams of d^2

References:
    | MIMIC (2025), "patch" term, https://arxiv.org/abs/2508.07833
    | Plug-In Inversion (Ghiasi et al., 2022), https://arxiv.org/abs/2201.12961
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from obvert.core import Objective, ObvertError


@dataclass(frozen=True, kw_only=True)
class PatchSeam(Objective):
    """Mean squared difference across seams, as the term "seam"."""

    patch: int = 14
    """Edge of a patch in pixels."""

    def __post_init__(self) -> None:
        if self.patch < 1:
            raise ValueError(f"need a patch of 1 pixel or more, got {self.patch}")

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Of pictures (B, C, H, W)."""
        if x.ndim != 4:
            raise ObvertError(f"need pictures (B, C, H, W) for seams, got {tuple(x.shape)}")
        total = x.new_zeros(len(x))
        for along in (x, x.mT):
            after = along[..., self.patch :: self.patch, :]
            if after[0].numel():
                before = along[..., self.patch - 1 :: self.patch, :][..., : after.shape[-2], :]
                total = total + (after - before).square().flatten(1).mean(1)
        return {"seam": total}
