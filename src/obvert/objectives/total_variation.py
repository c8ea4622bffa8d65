"""Total variation: how much neighbours differ, in a picture, a spectrogram or a sound.

    sum over directions of mean w |d|^power,    d between neighbours down, right and, if wanted, along both diagonals
    w = exp(-edges |d|), taken as a constant

Power 1 leaves edges, power 2 blurs them; with `edges` above 0 strong ones cost next to nothing. MIMIC's first version has both
powers with diagonals, its second spares edges.

References:
    | Nonlinear total variation based noise removal algorithms (Rudin et al., 1992)
    | https://doi.org/10.1016/0167-2789(92)90242-F
    | MIMIC (2025), https://arxiv.org/abs/2508.07833
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from obvert.core import Objective, ObvertError


@dataclass(frozen=True, kw_only=True)
class TotalVariation(Objective):
    """Total variation along the last two axes, as the term "tv1" or "tv2"; an axis of one sample has none."""

    power: Literal[1, 2] = 1
    """Of a difference."""
    diagonals: bool = False
    """Count diagonal neighbours too."""
    edges: float = 0.0
    """How much strong edges are spared, 0 for not at all."""

    def __post_init__(self) -> None:
        if self.power not in (1, 2) or not self.edges >= 0:
            raise ValueError(f"need power 1 or 2 and edges >= 0, got {self}")

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Of x (B, ..., H, W)."""
        if x.ndim < 3:
            raise ObvertError(f"need a batch of two axes or more for total variation, got {tuple(x.shape)}")
        pairs = [(x[..., 1:, :], x[..., :-1, :]), (x[..., 1:], x[..., :-1])]
        if self.diagonals:
            pairs += [(x[..., 1:, 1:], x[..., :-1, :-1]), (x[..., 1:, :-1], x[..., :-1, 1:])]
        total = x.new_zeros(len(x))
        for one, other in pairs:
            if one[0].numel():
                difference = (one - other).flatten(1)
                cost = difference.abs() if self.power == 1 else difference.square()
                total = total + (cost * (-self.edges * difference.detach().abs()).exp()).mean(1)
        return {f"tv{self.power}": total}
