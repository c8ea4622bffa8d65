"""The latents of an autoencoder: what is found lies near what its decoder can draw.

    x = D(theta),    theta ~ N(0, scale^2)

A strong prior: a picture that looks real shows then what the decoder knows as well as what the inverted model does. Report it
beside a run without.

References:
    | Synthesizing the preferred inputs for neurons in neural networks via deep generator networks (Nguyen et al., 2016)
    | https://arxiv.org/abs/1605.09304
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Autoencoder, Domain, ObvertError, Parametrisation
from obvert.parametrisations._bounds import normal


@dataclass(frozen=True, kw_only=True)
class Latent(Parametrisation):
    """Latents of a decoder."""

    autoencoder: Autoencoder
    """Whose decoder draws; of the domain's media."""
    scale: float = 0.5
    """Deviation of the start; latents are normalised, so that 1 is that of real media."""

    def __post_init__(self) -> None:
        if not self.scale >= 0:
            raise ValueError(f"need scale >= 0, got {self.scale}")

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        if domain.bounds != self.autoencoder.bounds or domain.media != self.autoencoder.media:
            raise ObvertError(
                f"need {self.autoencoder.media}s within {self.autoencoder.bounds} for latents of "
                f"{self.autoencoder.card.name}, got {domain.media}s within {domain.bounds}"
            )
        blank = torch.full((1, *domain.shape), sum(self.autoencoder.bounds) / 2)
        return self.scale * normal(tuple(self.autoencoder.encode(blank).shape[1:]), count, seed)

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        low, high = self.autoencoder.bounds
        x = self.autoencoder.to_media(theta).float()
        return x + (x.clamp(low, high) - x).detach()  # beyond the bounds the gradient still leads back
