"""A picture with the contrast and brightness of each channel changed.

    x_c exp(scale a_c) + shift b_c,    a, b uniform in [-1, 1]

References:
    | Plug-In Inversion: Model-Agnostic Inversion for Vision with Data Augmentations (Ghiasi et al., 2022)
    | https://arxiv.org/abs/2201.12961
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, View
from obvert.views._domain import picture, uniform, within


@dataclass(frozen=True, kw_only=True)
class ColourShift(View):
    """A scale and a shift of each channel, clipped to the bounds; with both 0 nothing changes."""

    scale: float = 0.2
    """Largest logarithm of a channel's factor."""
    shift: float = 0.1
    """Largest shift, in units of the picture."""

    def __post_init__(self) -> None:
        if not (self.scale >= 0 and self.shift >= 0):
            raise ValueError(f"need scale >= 0 and shift >= 0, got {self}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        picture(domain, "colour-shift")
        channels = domain.shape[0]
        scale, shift = (torch.tensor(uniform(generator, -1, 1, count=channels)).to(x).view(-1, 1, 1) for _ in range(2))
        return within(x * (self.scale * scale).exp() + self.shift * shift, domain)
