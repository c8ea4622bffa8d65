"""A part of a picture, brought to the size of the whole."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from obvert.core import Domain, View
from obvert.views._domain import picture, uniform, whole


@dataclass(frozen=True, kw_only=True)
class CutOuts(View):
    """A crop of random size and place, of the picture's own proportions."""

    least: float = 0.5
    """Smallest crop as a share of each side, uniform up to 1; 1 changes nothing."""

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise ValueError(f"need a share within (0, 1], got {self.least}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        sizes = picture(domain, "cut-outs")
        (share,) = uniform(generator, self.least, 1.0)
        for axis, size in zip((-2, -1), sizes, strict=True):
            kept = max(1, round(share * size))
            x = x.narrow(axis, whole(generator, 0, size - kept), kept)
        return x if x.shape[-2:] == sizes else interpolate(x, sizes, mode="bilinear", align_corners=False)
