"""How near found latents are to the true ones, and decoded pictures to the wanted ones, in decibels: lower is nearer.

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024)
    | https://arxiv.org/abs/2409.18442
"""

from __future__ import annotations

import torch
from torch import Tensor


def nmse_db(found: Tensor, true: Tensor) -> Tensor:
    """Normalised squared error of latents, 10 log10(|found - true|^2 / |true|^2).

    Args:
        found: (B, ...).
        true: (B, ...), none of them 0.

    Returns:
        (B,) decibels; minus infinity where both are equal.

    Raises:
        ValueError: for unlike shapes.
    """
    _alike(found, true)
    wrong, size = (x.double().flatten(1).square().sum(1) for x in (found - true, true))
    return 10 * torch.log10(wrong / size)


def residual_db(seen: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of pictures, 10 log10 mean (seen - wanted)^2: minus the PSNR of pictures in [0, 1].

    Args:
        seen: (B, ...).
        wanted: (B, ...).

    Returns:
        (B,) decibels; minus infinity where both are equal.

    Raises:
        ValueError: for unlike shapes.
    """
    _alike(seen, wanted)
    return 10 * torch.log10((seen.double() - wanted.double()).square().flatten(1).mean(1))


def _alike(one: Tensor, other: Tensor) -> None:
    if one.shape != other.shape or one.ndim < 2:
        raise ValueError(f"need two batches (B, ...) of one shape, got {tuple(one.shape)} and {tuple(other.shape)}")
