"""What views share: which domains they are made for, and their draws."""

from __future__ import annotations

import torch
from torch import Tensor

from obvert.core import Domain, ObvertError


def picture(domain: Domain, view: str) -> tuple[int, int]:
    """H, W of a domain of pictures; ObvertError for another."""
    if domain.media != "picture" or len(domain.shape) != 3:
        raise ObvertError(f"need pictures (C, H, W) for the view {view}, got a {domain.media} {domain.shape}")
    return domain.shape[1], domain.shape[2]


def waveform(domain: Domain, view: str) -> int:
    """Samples of a domain of waveforms; ObvertError for another."""
    if domain.media != "sound" or len(domain.shape) != 2 or domain.shape[0] != 1:
        raise ObvertError(f"need sounds (1, S) for the view {view}, got a {domain.media} {domain.shape}")
    return domain.shape[1]


def spectrogram(domain: Domain, view: str) -> tuple[int, int]:
    """Bands and frames of a domain of spectrograms; ObvertError for another."""
    if domain.media != "sound" or len(domain.shape) != 2 or domain.shape[0] == 1:
        raise ObvertError(f"need spectrograms (M, T) for the view {view}, got a {domain.media} {domain.shape}")
    return domain.shape[0], domain.shape[1]


def uniform(generator: torch.Generator, low: float, high: float, count: int = 1) -> list[float]:
    """So many draws between two numbers."""
    return (low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)).tolist()


def whole(generator: torch.Generator, low: int, high: int) -> int:
    """A draw among the whole numbers from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def within(x: Tensor, domain: Domain) -> Tensor:
    """Clipped to the domain's bounds, where it has any."""
    return x if domain.bounds is None else x.clamp(*domain.bounds)
