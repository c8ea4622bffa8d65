"""Normalisation of an autoencoder's latents, as its config, its buffers or its running statistics tell it.

Every kind is one affine map, channel by channel, in fp32:

    z = (u - mean) / deviation

    scaling_factor s           mean 0              deviation 1 / s
    scaling and shift_factor   mean shift          deviation 1 / s        (SD3, Flux)
    latents_mean, latents_std  mean latents_mean   deviation latents_std  (Wan, Qwen; buffers in LTX)
    both                       mean latents_mean   deviation latents_std / s  (Mochi, some of SDXL's)
    batch norm                 mean running_mean   deviation sqrt(running_var + eps), after 2 x 2 patches became channels (Flux2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from obvert.core import ObvertError


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """(u - mean) / deviation of what an encoder gives."""

    mean: Tensor
    """(C,) or (1,), fp32."""
    deviation: Tensor
    """(C,) or (1,), fp32, above 0."""
    patch: int = 1
    """Edge of the square patches of u that become channels first."""

    def apply(self, u: Tensor) -> Tensor:
        """(B, C, ...) as the encoder gives it -> normalised latents."""
        u = to_patches(u, self.patch)
        return (u - _along(self.mean, u)) / _along(self.deviation, u)

    def undo(self, z: Tensor) -> Tensor:
        """Normalised latents -> (B, C, ...) as the decoder takes it."""
        return from_patches(z * _along(self.deviation, z) + _along(self.mean, z), self.patch)


def read_normalisation(network: Any, channels: int) -> Normalisation:
    """What normalises the latents of a network of diffusers.

    Args:
        network: the loaded autoencoder.
        channels: that its decoder takes.

    Returns:
        The normalisation.

    Raises:
        ObvertError: for numbers that cannot normalise, or too many or too few of them.
    """
    config = dict(network.config)
    if hasattr(network, "bn"):
        patch = int(config["patch_size"][0])
        mean, deviation = network.bn.running_mean, (network.bn.running_var + network.bn.eps).sqrt()
        return _checked(network, Normalisation(mean=mean, deviation=deviation, patch=patch), channels * patch**2)
    told = config | dict(network.named_buffers())
    means, deviations = told.get("latents_mean"), told.get("latents_std")
    if means is None or deviations is None:
        means, deviations = [config.get("shift_factor") or 0.0], [1.0]
    scaling = config.get("scaling_factor")
    scaling = 1.0 if scaling is None else scaling
    numbers = [torch.as_tensor(given, dtype=torch.float64).flatten() for given in (means, deviations)]
    return _checked(network, Normalisation(mean=numbers[0], deviation=numbers[1] / scaling), channels)


def _checked(network: Any, found: Normalisation, channels: int) -> Normalisation:
    mean, deviation = (t.detach().to("cpu", torch.float32).clone() for t in (found.mean, found.deviation))
    if len(mean) not in (1, channels) or len(deviation) not in (1, channels):
        counts = f"{len(mean)} means and {len(deviation)} deviations"
        raise ObvertError(f"need numbers for {channels} channels to normalise latents of {type(network).__name__}, got {counts}")
    if not (mean.isfinite().all() and deviation.isfinite().all() and (deviation > 0).all()):
        raise ObvertError(f"need finite means and deviations above 0 to normalise latents of {type(network).__name__}")
    device = next(network.parameters()).device
    return Normalisation(mean=mean.to(device), deviation=deviation.to(device), patch=found.patch)


def to_patches(u: Tensor, patch: int) -> Tensor:
    """(B, C, H, W) -> (B, C patch^2, H / patch, W / patch), the channel outermost."""
    if patch == 1:
        return u
    b, c, h, w = u.shape
    return u.reshape(b, c, h // patch, patch, w // patch, patch).permute(0, 1, 3, 5, 2, 4).reshape(b, -1, h // patch, w // patch)


def from_patches(z: Tensor, patch: int) -> Tensor:
    """What undoes `to_patches`."""
    if patch == 1:
        return z
    b, c, h, w = z.shape
    return z.reshape(b, c // patch**2, patch, patch, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, -1, h * patch, w * patch)


def _along(numbers: Tensor, z: Tensor) -> Tensor:
    """Numbers of channels shaped to multiply (B, C, ...)."""
    return numbers.view(1, -1, *([1] * (z.ndim - 2)))
