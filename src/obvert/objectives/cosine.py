"""One minus the cosine between what a map gives and what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Objective


@dataclass(frozen=True)
class Cosine(Objective):
    """1 - cos(map(x), target), in [0, 2], as the term "cosine"."""

    map: Callable[[Tensor], Tensor]
    """(B, ...) -> (B, d)."""
    target: Tensor
    """(B, d)."""

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        return {"cosine": 1 - torch.cosine_similarity(self.map(x).float(), self.target.float(), dim=-1)}
