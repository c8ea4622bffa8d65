"""Text-to-image models that turn noise into latents step by step: diffusion and rectified flow in one form.

Every point on the way is z_t = a_t x + s_t n, latents x and noise n. Whatever the network predicts gives both back

    epsilon:  n = out,              x = (z - s n) / a
    velocity: x = a z - s out,      n = s z + a out
    flow:     x = z - s out,        n = z + a out          (a = 1 - s)

and a deterministic step goes to the next pair: z' = a' x + s' n. That is DDIM, and Euler for a flow.

References:
    | Denoising Diffusion Implicit Models (Song et al., 2021)
    | https://arxiv.org/abs/2010.02502
    | Flow Straight and Fast (Liu et al., 2022)
    | https://arxiv.org/abs/2209.03003
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from obvert.core.autoencoder import Autoencoder
from obvert.core.model import Card

Prediction = Literal["epsilon", "velocity", "flow"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The points a walk from noise to latents visits, noisiest first."""

    times: Tensor
    """(K,) what the network is told at each point it is asked at."""
    signal: Tensor
    """(K + 1,) a at each point, fp64; the last is where the walk ends."""
    noise: Tensor
    """(K + 1,) s at each point, fp64."""


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """A frozen text-to-image model."""

    card: Card
    device: torch.device
    dtype: torch.dtype
    autoencoder: Autoencoder
    shape: tuple[int, ...]
    """Of the latents of one picture of the size that the model was trained for."""
    prediction: Prediction
    embed: Callable[[Sequence[str]], Any]
    """Captions -> what `predict` takes as condition: a tensor, or a tuple of tensors, each with B rows."""
    predict: Callable[[Tensor, Tensor, Any], Tensor]
    """(B, *shape) latents, (B,) times, condition -> the network's output, differentiable."""
    schedule: Callable[[int], Schedule]
    """Steps K -> the points of the walk."""
    parameters: Callable[[], dict[str, Tensor]] = dict
    """The weights, for those who want to see that they did not change."""

    def clean_and_noise(self, z: Tensor, out: Tensor, signal: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The latents x and the noise n that an output says z is made of.

        Args:
            z: (B, *shape) noisy latents.
            out: (B, *shape) the network's output there.
            signal: a of z, 0-dimensional.
            noise: s of z.

        Returns:
            x and n, like z.
        """
        a, s = signal.to(z), noise.to(z)
        if self.prediction == "epsilon":
            return (z - s * out) / a, out
        if self.prediction == "velocity":
            return a * z - s * out, s * z + a * out
        return z - s * out, z + a * out
