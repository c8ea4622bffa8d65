"""A picture turned, scaled and moved about its centre; its mirror image fills what comes in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from obvert.core import Domain, View
from obvert.views._domain import picture, uniform


@dataclass(frozen=True, kw_only=True)
class Affine(View):
    """A random rotation, zoom and shift; with 0, 1 and 0 nothing changes."""

    degrees: float = 10.0
    """Largest turn, uniform either way."""
    zoom: float = 1.2
    """Largest factor, uniform in its logarithm from 1 / zoom to zoom."""
    shift: float = 0.05
    """Furthest shift of each axis as a share of the picture, uniform either way."""

    def __post_init__(self) -> None:
        if not (self.degrees >= 0 and self.zoom >= 1 and self.shift >= 0):
            raise ValueError(f"need degrees >= 0, zoom >= 1 and shift >= 0, got {self}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        height, width = picture(domain, "affine")
        turn, zoom, right, down = uniform(generator, -1, 1, count=4)
        if (self.degrees, self.zoom, self.shift) == (0, 1, 0):
            return x
        angle, factor = math.radians(turn * self.degrees), self.zoom**-zoom
        cos, sin = factor * math.cos(angle), factor * math.sin(angle)
        # Where each pixel of the view is taken from, in halves of the picture's sides.
        rows = [[cos, -sin * height / width, -2 * right * self.shift], [sin * width / height, cos, -2 * down * self.shift]]
        where = torch.tensor([rows], device=x.device, dtype=x.dtype).expand(len(x), 2, 3)
        grid = affine_grid(where, [*x.shape], align_corners=False)
        return grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
