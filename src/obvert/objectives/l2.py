"""How large numbers are: keeps what no model asked for from growing.

power 2: mean (x - centre)^2        power 1: |x - centre| / N, the norm over how many there are
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from obvert.core import Objective


@dataclass(frozen=True, kw_only=True)
class L2(Objective):
    """Mean square, or scaled norm, as the term "l2"."""

    power: Literal[1, 2] = 2
    """2 for the mean square, 1 for the norm over the number of samples."""
    centre: float = 0.0
    """What costs nothing, e.g. .5 of a picture."""

    def __post_init__(self) -> None:
        if self.power not in (1, 2):
            raise ValueError(f"need power 1 or 2, got {self.power}")

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        apart = (x - self.centre).flatten(1)
        value = apart.square().mean(1) if self.power == 2 else torch.linalg.vector_norm(apart, dim=1) / apart.shape[1]
        return {"l2": value}
