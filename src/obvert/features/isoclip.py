"""IsoCLIP: keep the band of directions that both projection layers share evenly.

    W_i^T W_t = U S V^T;   W_i' = W_i U_B U_B^T,   W_t' = W_t V_B V_B^T,   B = [top, r - bottom)

The rows of W_i span what U spans, so the change can be made on finished features: f' = W_i U_B U_B^T W_i^+ f.

References:
    | IsoCLIP (CVPR 2026), https://arxiv.org/abs/2603.19862
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from obvert.core import FeatureMap, Fitted, ObvertError, Reference

PUBLISHED = {"image": (150 / 512, 50 / 512), "text": (20 / 512, 100 / 512)}
"""Shares of the directions cut at the top and the bottom, as published for CLIP ViT-B/32."""


@dataclass(frozen=True, kw_only=True)
class IsoCLIP(FeatureMap):
    """Band selection in the spectrum of the joint projection."""

    top: int | None = None
    """Strongest directions cut; the published share for each modality when None."""
    bottom: int | None = None
    """Weakest directions cut; the published share for each modality when None."""

    def candidates(self, reference: Reference) -> list[FeatureMap]:
        if reference.projections is None:
            return [self]
        rank = min(min(w.shape) for w in reference.projections)
        shares = (0.0, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8)
        cuts = dict.fromkeys((round(top * rank), round(bottom * rank)) for top in shares for bottom in (*shares, 1 / 2))
        return [self, *(IsoCLIP(top=top, bottom=bottom) for top, bottom in cuts)]

    def fit(self, reference: Reference) -> Fitted:
        if reference.projections is None:
            raise ObvertError("isoclip needs the model's two projection matrices; bare features do not have them")
        image, text = (w.double().cpu() for w in reference.projections)
        u, s, vh = torch.linalg.svd(image.T @ text, full_matrices=False)
        rank = int((s > s[0] * 1e-10).sum())
        matrix = {"image": self._band(image, u[:, :rank], "image"), "text": self._band(text, vh.T[:, :rank], "text")}
        zero = torch.zeros(len(image))
        return Fitted(name="isoclip", settings=asdict(self), shift={"image": zero, "text": zero}, matrix=matrix)

    def _band(self, projection: Tensor, directions: Tensor, modality: str) -> Tensor:
        rank = directions.shape[1]
        top, bottom = PUBLISHED[modality]
        first = round(top * rank) if self.top is None else self.top
        last = rank - (round(bottom * rank) if self.bottom is None else self.bottom)
        if not 0 <= first < last <= rank:
            raise ObvertError(f"isoclip needs top + bottom below the {rank} directions there are, got {first} and {rank - last}")
        band = directions[:, first:last]
        return (projection @ band @ band.T @ torch.linalg.pinv(projection)).float()
