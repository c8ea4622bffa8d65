"""Means and variances of a network's features like those of real inputs, layer by layer.

    sum over layers of |mean(x) - mean*| + |var(x) - var*|

Mean and biased variance are over the tokens, or places, of one input; the targets are their averages over real inputs.

References:
    | MIMIC (2025), "base" term, https://arxiv.org/abs/2508.07833
    | Dreaming to Distill: Data-free Knowledge Transfer via DeepInversion (Yin et al., 2020)
    | https://arxiv.org/abs/1912.08795
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Objective, ObvertError


@dataclass(frozen=True)
class FeatureStatistics(Objective):
    """Distance of feature statistics, as the term "features"."""

    features: Callable[[Tensor], Sequence[Tensor]]
    """(B, ...) -> of each layer (B, N, d), differentiable."""
    targets: tuple[tuple[Tensor, Tensor], ...]
    """Of each layer, mean (d,) and variance (d,)."""

    @classmethod
    @torch.no_grad()
    def of(cls, features: Callable[[Tensor], Sequence[Tensor]], real: Tensor, batch: int = 16) -> FeatureStatistics:
        """Towards real inputs.

        Args:
            features: as above.
            real: (B, ...).
            batch: inputs run at once; changes memory only.

        Returns:
            The objective.
        """
        parts = [[_moments(layer) for layer in features(part)] for part in real.split(batch)]
        targets = []
        for layer in zip(*parts, strict=True):
            mean, variance = (torch.cat(some).mean(0) for some in zip(*layer, strict=True))
            targets.append((mean, variance))
        return cls(features, tuple(targets))

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        layers = self.features(x)
        if len(layers) != len(self.targets):
            raise ObvertError(f"need {len(self.targets)} layers of features, got {len(layers)}")
        total = x.new_zeros(len(x))
        for layer, target in zip(layers, self.targets, strict=True):
            for found, wanted in zip(_moments(layer), target, strict=True):
                total = total + torch.linalg.vector_norm(found - wanted.to(found), dim=1)
        return {"features": total}


def _moments(layer: Tensor) -> tuple[Tensor, Tensor]:
    """(B, d) means and biased variances over tokens, at least fp32."""
    if layer.ndim != 3:
        raise ObvertError(f"need features (B, N, d), got {tuple(layer.shape)}")
    tokens = layer if layer.dtype == torch.float64 else layer.float()
    return tokens.mean(1), tokens.var(1, correction=0)
