"""Another parametrisation, seen coarsely first: the picture gains resolution as the search goes on.

    x = up(down(inner(theta), r)),    r from `first` to the full side, geometrically, over the first `grown` of the search

What is decided while only blobs can be drawn is where things are and of which colour; edges come later.

References:
    | What do we learn from inverting CLIP models? (Kazemi et al., 2024)
    | https://arxiv.org/abs/2403.02580
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor
from torch.nn.functional import interpolate

from obvert.core import Domain, Parametrisation
from obvert.parametrisations._bounds import picture
from obvert.parametrisations.free import Free


@dataclass(frozen=True, kw_only=True)
class CoarseToFine(Parametrisation):
    """A picture that starts with few pixels."""

    inner: Parametrisation = field(default_factory=Free)
    """What stands for the picture."""
    first: int = 8
    """Pixels of the longer side at the start."""
    grown: float = 0.6
    """Share of the search after which all pixels are there."""

    def __post_init__(self) -> None:
        if self.first < 1 or not 0 < self.grown <= 1:
            raise ValueError(f"need first >= 1 and grown within (0, 1], got {self}")

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        picture(domain, "coarse-to-fine")
        return self.inner.start(domain, count, seed)

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        _, height, width = picture(domain, "coarse-to-fine")
        x, longest = self.inner(theta, domain, share), max(height, width)
        edge = round(min(self.first, longest) * (longest / min(self.first, longest)) ** min(1.0, share / self.grown))
        if edge >= longest:
            return x
        small = (max(1, round(height * edge / longest)), max(1, round(width * edge / longest)))
        return interpolate(interpolate(x, small, mode="area"), (height, width), mode="bilinear", align_corners=False)
