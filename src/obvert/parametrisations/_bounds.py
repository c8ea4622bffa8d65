"""What parametrisations share: the start that is the same for every sample, and the way into a domain's bounds."""

from __future__ import annotations

import torch
from torch import Tensor

from obvert.core import Domain, ObvertError


def normal(shape: tuple[int, ...], count: int, seed: int) -> Tensor:
    """(B, *shape) one normal draw on the CPU, the same for every sample."""
    draw = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return draw.expand(count, *shape).clone()


def bounded(x: Tensor, domain: Domain) -> Tensor:
    """Free numbers brought within the bounds by a sigmoid; as they are where there are none."""
    if domain.bounds is None:
        return x
    low, high = domain.bounds
    return low + (high - low) * x.sigmoid()


def picture(domain: Domain, name: str) -> tuple[int, int, int]:
    """C, H, W of a domain of pictures; ObvertError for another."""
    if domain.media != "picture" or len(domain.shape) != 3:
        raise ObvertError(f"need pictures (C, H, W) for the parametrisation {name}, got a {domain.media} {domain.shape}")
    channels, height, width = domain.shape
    return channels, height, width
