"""Another solver whose points, pictures, are blurred now and then, less and less.

    x = G_s inner(x)    every so many steps,    s from `deviation` to 0 over `horizon` steps

What only single pixels hold is taken away again; what is larger stays.

References:
    | Understanding Neural Networks Through Deep Visualization (Yosinski et al., 2015)
    | https://arxiv.org/abs/1506.06579
    | MIMIC (2025), second version, https://arxiv.org/abs/2508.07833
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from obvert.core import Eval, ObvertError, Solver
from obvert.solvers.adam import Adam


@dataclass(frozen=True, kw_only=True)
class Blurred(Solver[Any]):
    """Periodic Gaussian blur of pictures (B, C, H, W)."""

    inner: Solver[Any] = field(default_factory=Adam)
    """Makes the steps."""
    every: int = 50
    """Steps between two blurs."""
    deviation: float = 0.0
    """Of the blur at the start, in pixels; 0 for none."""
    horizon: int = 1000
    """Steps over which it falls to 0."""

    def __post_init__(self) -> None:
        if self.every < 1 or not self.deviation >= 0 or self.horizon < 1:
            raise ValueError(f"need every >= 1, deviation >= 0 and horizon >= 1, got {self}")

    def init(self, x: Tensor) -> Any:
        return self.inner.init(x), 0

    def step(self, x: Tensor, now: Eval, state: Any) -> tuple[Tensor, Any]:
        inner, steps = state
        moved, inner = self.inner.step(x, now, inner)
        left = self.deviation * max(0.0, 1 - (steps + 1) / self.horizon)
        if (steps + 1) % self.every == 0 and left > 0:
            moved = blurred(moved, left)
        return moved, (inner, steps + 1)


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Pictures (B, C, H, W) under a Gaussian of so many pixels, mirrored at the border; ObvertError for other shapes."""
    if x.ndim != 4:
        raise ObvertError(f"need pictures (B, C, H, W) to blur, got {tuple(x.shape)}")
    reach = min(max(1, round(3 * deviation)), min(x.shape[-2:]) - 1)
    row = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype) / deviation) ** 2)
    row = row / row.sum()
    flat = pad(x.flatten(0, 1)[:, None], (reach,) * 4, mode="reflect")
    return conv2d(conv2d(flat, row.view(1, 1, 1, -1)), row.view(1, 1, -1, 1)).view_as(x)
