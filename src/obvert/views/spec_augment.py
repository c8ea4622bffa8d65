"""A spectrogram with a stretch of time and a band of frequencies masked by its mean.

References:
    | SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition (Park et al., 2019)
    | https://arxiv.org/abs/1904.08779
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, View
from obvert.views._domain import spectrogram, whole


@dataclass(frozen=True, kw_only=True)
class SpecAugment(View):
    """Masks in time and frequency, each up to a share of its axis; with both shares 0 nothing changes."""

    time: float = 0.1
    """Longest masked share of the frames."""
    frequency: float = 0.2
    """Widest masked share of the bands."""
    masks: int = 1
    """Masks on each axis."""

    def __post_init__(self) -> None:
        if not (0 <= self.time < 1 and 0 <= self.frequency < 1 and self.masks >= 1):
            raise ValueError(f"need shares within [0, 1) and a mask or more, got {self}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        sizes = spectrogram(domain, "spec-augment")
        seen = torch.ones(sizes, dtype=torch.bool)
        for axis, (size, share) in enumerate(zip(sizes, (self.frequency, self.time), strict=True)):
            for _ in range(self.masks):
                width = whole(generator, 0, int(share * size))
                seen.narrow(axis, whole(generator, 0, size - width), width).fill_(False)
        return torch.where(seen.to(x.device), x, x.mean((1, 2), keepdim=True))
