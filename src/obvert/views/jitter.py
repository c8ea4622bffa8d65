"""A picture moved by some pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.core import Domain, View
from obvert.views._domain import picture, whole


@dataclass(frozen=True, kw_only=True)
class Jitter(View):
    """A shift down and right, each uniform up to `pixels` either way."""

    pixels: int = 4
    """Furthest shift, at most half the picture; 0 changes nothing."""
    border: Literal["wrap", "reflect"] = "reflect"
    """What comes in: what left at the other side, or the picture's mirror image."""

    def __post_init__(self) -> None:
        if self.pixels < 0 or self.border not in ("wrap", "reflect"):
            raise ValueError(f"need pixels >= 0 and a border that is 'wrap' or 'reflect', got {self}")

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        sizes = picture(domain, "jitter")
        most = [min(self.pixels, size // 2) for size in sizes]
        down, right = (whole(generator, -m, m) for m in most)
        if self.border == "wrap":
            return x.roll((down, right), dims=(-2, -1))
        wide = pad(x, (most[1], most[1], most[0], most[0]), mode="reflect")
        return wide.narrow(-2, most[0] - down, sizes[0]).narrow(-1, most[1] - right, sizes[1])
