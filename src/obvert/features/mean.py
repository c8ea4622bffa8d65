"""Mean removal: subtract from each modality its own mean feature, then normalise.

    e' = normalise(e - mean of its modality)

References:
    | I0T: Embedding Standardization Method Towards Zero Modality Gap (An et al., 2024)
    | https://arxiv.org/abs/2412.14384
    | Closing the Modality Gap for Mixed Modality Search (Li et al., 2025)
    | https://arxiv.org/abs/2507.19054
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from obvert.core import FeatureMap, Fitted, ObvertError, Reference


@dataclass(frozen=True, kw_only=True)
class Mean(FeatureMap):
    """Mean removal."""

    def fit(self, reference: Reference) -> Fitted:
        given = {"image": reference.image, "text": reference.text}
        means = {modality: features.mean(0) for modality, features in given.items() if features is not None}
        if not means:
            raise ObvertError("mean needs image or text features to take the mean of, got neither")
        return Fitted(name="mean", settings={}, shift=means, matrix={m: torch.eye(len(v)) for m, v in means.items()})
