"""A sum of grids, from one pixel to full resolution, each stretched to the whole.

    x = sigmoid(sum_r up(theta_r)),    theta_r ~ N(0, scale^2) of (C, r, r),    r = 1, 2, 4, ... side

A gradient that agrees over a region moves the coarse grids, one that does not moves the fine ones only: meaning comes first.

References:
    | Direct Ascent Synthesis: Revealing Hidden Generative Capabilities in Discriminative Models (Fort and Whitaker, 2025)
    | https://arxiv.org/abs/2502.07753
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from obvert.core import Domain, Parametrisation
from obvert.parametrisations._bounds import bounded, normal, picture


@dataclass(frozen=True, kw_only=True)
class MultiResolution(Parametrisation):
    """Grids that double in resolution; the last is as fine as the picture."""

    scale: float = 0.1
    """Deviation of each grid's start."""
    fine: int = 1
    """Edge in pixels of the finest grid's cells; 1 for pixels."""

    def __post_init__(self) -> None:
        if not self.scale >= 0 or self.fine < 1:
            raise ValueError(f"need scale >= 0 and fine >= 1, got {self}")

    def grids(self, domain: Domain) -> list[tuple[int, int]]:
        """Height and width of each grid, coarsest first."""
        _, height, width = picture(domain, "multi-resolution")
        longest = max(height, width)
        powers = [2**k for k in range(longest.bit_length()) if 2**k < longest / self.fine]
        edges = [*powers, max(1, round(longest / self.fine))]
        return [(max(1, round(height * e / longest)), max(1, round(width * e / longest))) for e in edges]

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        numbers = sum(domain.shape[0] * h * w for h, w in self.grids(domain))
        return self.scale * normal((numbers,), count, seed)

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        channels, height, width = picture(domain, "multi-resolution")
        sizes = self.grids(domain)
        parts = theta.split([channels * h * w for h, w in sizes], dim=1)
        x = torch.stack(
            [
                interpolate(part.view(-1, channels, *size), (height, width), mode="bilinear", align_corners=False)
                for part, size in zip(parts, sizes, strict=True)
            ]
        ).sum(0)
        return bounded(x, domain)
