"""Means and variances of a network's features like those of real inputs, layer by layer.

    l2:    sum over layers of |mean(x) - mean*| + |var(x) - var*|
    kl:    sum over layers of mean over channels of KL( N(mean(x), var(x)) | N(mean*, var*) )

Mean and biased variance are over the tokens, or places, of one input; the targets are their averages over real inputs.

References:
    | MIMIC (2025), "base" term, https://arxiv.org/abs/2508.07833
    | Dreaming to Distill: Data-free Knowledge Transfer via DeepInversion (Yin et al., 2020)
    | https://arxiv.org/abs/1912.08795
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from obvert.core import Objective, ObvertError

Moments = tuple[Tensor, Tensor]
"""Mean and variance of a layer, (d,) each, or (B, d) of inputs of their own."""
Divergence = Literal["l2", "kl"]
FLOOR = 1e-4
"""Added to variances before they are divided by."""


@dataclass(frozen=True)
class FeatureStatistics(Objective):
    """Distance of feature statistics, as the term "features"."""

    features: Callable[[Tensor], Sequence[Tensor]]
    """(B, ...) -> of each layer (B, N, d), differentiable."""
    targets: tuple[Moments, ...]
    """Of each layer."""
    divergence: Divergence = "l2"
    """How far apart two are."""

    @classmethod
    def of(
        cls, features: Callable[[Tensor], Sequence[Tensor]], real: Tensor, batch: int = 16, divergence: Divergence = "l2"
    ) -> FeatureStatistics:
        """Towards real inputs.

        Args:
            features: as above.
            real: (B, ...).
            batch: inputs run at once; changes memory only.
            divergence: as above.

        Returns:
            The objective.
        """
        return cls(features, statistics(features, real, batch), divergence)

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        layers = self.features(x)
        if len(layers) != len(self.targets):
            raise ObvertError(f"need {len(self.targets)} layers of features, got {len(layers)}")
        return {"features": together([moments(layer) for layer in layers], self.targets, self.divergence)}


@torch.no_grad()
def statistics(features: Callable[[Tensor], Sequence[Tensor]], real: Tensor, batch: int = 16) -> tuple[Moments, ...]:
    """Means and variances of each layer, averaged over real inputs (B, ...), some of which are run at once."""
    parts = [[moments(layer) for layer in features(part)] for part in real.split(batch)]
    found = []
    for layer in zip(*parts, strict=True):
        mean, variance = (torch.cat(some).mean(0) for some in zip(*layer, strict=True))
        found.append((mean, variance))
    return tuple(found)


def together(found: Sequence[Moments], wanted: Sequence[Moments], divergence: Divergence) -> Tensor:
    """(B,) how far the moments of some layers lie from those wanted."""
    return torch.stack([_apart(one, other, divergence) for one, other in zip(found, wanted, strict=True)]).sum(0)


def _apart(found: Moments, wanted: Moments, divergence: Divergence) -> Tensor:
    mean, variance = (value.to(found[0]) for value in wanted)
    if divergence == "l2":
        return torch.linalg.vector_norm(found[0] - mean, dim=1) + torch.linalg.vector_norm(found[1] - variance, dim=1)
    one, other = found[1] + FLOOR, variance + FLOOR
    return 0.5 * (((found[0] - mean).square() + one) / other - 1 - (one / other).log()).mean(1)


def moments(layer: Tensor, mask: Tensor | None = None) -> Moments:
    """Means and biased variances over tokens.

    Args:
        layer: (B, N, d).
        mask: (B, N) tokens that count; all when None.

    Returns:
        (B, d) each, at least fp32.

    Raises:
        ObvertError: for features of another shape.
    """
    if layer.ndim != 3:
        raise ObvertError(f"need features (B, N, d), got {tuple(layer.shape)}")
    tokens = layer if layer.dtype == torch.float64 else layer.float()
    share = tokens.new_full(tokens.shape[:2], 1 / tokens.shape[1]) if mask is None else mask / mask.sum(1, keepdim=True)
    share = share.to(tokens)[..., None]
    mean = (share * tokens).sum(1)
    return mean, (share * (tokens - mean[:, None]).square()).sum(1)
