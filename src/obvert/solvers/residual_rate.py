"""Stop a sample when a step takes off less than so many decibels: it has learned what the field can tell it.

An encoder is not its decoder's exact inverse. Where the two hardly match, iterating on the residual first brings the
latents nearer to the true ones and then, slowly, away again; the error that can be seen keeps falling meanwhile, only no
longer fast. Where they match, the error falls to what is noise in the target, and on the last decibels above that floor
the latents still gain much: there the iteration goes on until the error stands still.

    stop when  10 log10(error_{k-1} / error_k) < decibels,    or < slow where error_k is within `margin` decibels of the floor

References:
    | On the solution of functional equations by the method of regularization (Morozov, 1966), for floors of noise
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), where iterating on harms
    | https://arxiv.org/abs/2409.18442
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Stop

ROUNDING = 1 / 12 / 255**2
"""Mean squared error of rounding numbers in [0, 1] to 8 bits."""


@dataclass(frozen=True, kw_only=True)
class ResidualRate(Stop):
    """Stop where a step no longer gains enough."""

    decibels: float = 2.0
    """Least gain of a step. 2 is for encoders that hardly match their decoders; well-matched pairs gain much below it."""
    floor: float | Tensor = 0.0
    """Error of the truth itself, of all samples or of each: `ROUNDING` for pictures of 8 bits; 0 where there is no noise."""
    margin: float = 6.0
    """Decibels above the floor within which `slow` is asked instead."""
    slow: float = 0.005
    """Least gain of a step there, on average over `window` steps: single ones may gain nothing."""
    window: int = 6
    """Steps that are averaged near the floor, at least 1."""
    least: int = 1
    """Steps that are taken in any case, at least 1."""

    def __post_init__(self) -> None:
        if not (self.decibels > 0 and self.margin >= 0 and self.slow > 0 and self.window >= 1 and self.least >= 1):
            raise ValueError(f"need decibels > 0, margin >= 0, slow > 0, window >= 1 and least >= 1, got {self}")

    def __call__(self, errors: Tensor) -> Tensor:
        if len(errors) <= self.least:
            return torch.zeros(errors.shape[1], dtype=torch.bool, device=errors.device)
        back = min(self.window, len(errors) - 1)
        near = errors[-1] <= 10 ** (self.margin / 10) * torch.as_tensor(self.floor).to(errors)
        fast = errors[-1] <= 10 ** (-self.decibels / 10) * errors[-2]
        still = errors[-1] > 10 ** (-self.slow * back / 10) * errors[-1 - back]
        return torch.where(near, still, ~fast)
