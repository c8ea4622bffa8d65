"""Normalisation of an autoencoder's latents, as its config, its buffers or its running statistics tell it.

Every kind is one affine map, channel by channel, in fp32:

    z = (u - mean) / deviation

    scaling_factor s           mean 0              deviation 1 / s
    scaling and shift_factor   mean shift          deviation 1 / s        (SD3, Flux)
    latents_mean, latents_std  mean latents_mean   deviation latents_std  (Wan, Qwen; buffers in LTX)
    both                       mean latents_mean   deviation latents_std / s  (Mochi, some of SDXL's)
    latents_mean of C T        mean and deviation of a channel and a frame, from the first frame on  (Cosmos)
    none                       mean 0              deviation 1            (Oobleck; Kandinsky's VQModel, even with a factor)
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
    """(C, 1), (1, 1) or (C, T) of a channel in the first T frames; fp32."""
    deviation: Tensor
    """The same, above 0."""
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
    patch = 1
    if hasattr(network, "bn"):
        patch = int(config["patch_size"][0])
        mean, deviation = network.bn.running_mean, (network.bn.running_var + network.bn.eps).sqrt()
    else:
        told = config | dict(network.named_buffers())
        means, deviations, scaling = (told.get(name) for name in ("latents_mean", "latents_std", "scaling_factor"))
        if means is None or deviations is None:
            means, deviations = told.get("shift_factor") or 0.0, 1.0
        if config.get("norm_type") == "spatial":
            scaling = None  # Kandinsky's pipelines neither multiply nor divide by it
        try:
            mean, deviation = (torch.as_tensor(given, dtype=torch.float64) for given in (means, deviations))
            deviation = deviation / (1.0 if scaling is None else scaling)
        except (TypeError, ValueError) as error:
            raise ObvertError(f"need numbers that normalise latents in the config of {_name(network)}: {error}") from error
    channels *= patch**2
    mean, deviation = (t.detach().float().flatten() for t in (mean, deviation))
    for numbers in (mean, deviation):
        if len(numbers) != 1 and (len(numbers) == 0 or len(numbers) % channels):
            raise ObvertError(
                f"need numbers for {channels} channels to normalise latents of {_name(network)}, got {len(numbers)}"
            )
    if not (mean.isfinite().all() and deviation.isfinite().all() and (deviation > 0).all()):
        raise ObvertError(f"need finite means and finite deviations above 0 to normalise latents of {_name(network)}")
    mean, deviation = (t.view(min(len(t), channels), -1).to(network.device) for t in (mean, deviation))
    return Normalisation(mean=mean, deviation=deviation, patch=patch)


def _name(network: Any) -> str:
    return type(network).__name__


def to_patches(u: Tensor, patch: int) -> Tensor:
    """(B, C, H, W) -> (B, C patch^2, H / patch, W / patch), the channel outermost."""
    if patch == 1:
        return u
    b, c, h, w = u.shape
    rows, columns = h // patch, w // patch
    return u.reshape(b, c, rows, patch, columns, patch).permute(0, 1, 3, 5, 2, 4).reshape(b, c * patch**2, rows, columns)


def from_patches(z: Tensor, patch: int) -> Tensor:
    """What undoes `to_patches`."""
    if patch == 1:
        return z
    b, c, h, w = z.shape
    c //= patch**2
    return z.reshape(b, c, patch, patch, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, c, h * patch, w * patch)


def _along(numbers: Tensor, z: Tensor) -> Tensor:
    """Numbers of channels, or of channels and frames, shaped to go with (B, C, ...); ObvertError for too many or no frames."""
    if numbers.shape[1] == 1:
        return numbers.view(1, -1, *([1] * (z.ndim - 2)))
    if z.ndim != 5:
        raise ObvertError(f"need one number a channel to normalise latents without frames, got {numbers.shape[1]}")
    if z.shape[2] > numbers.shape[1]:
        raise ObvertError(f"need at most {numbers.shape[1]} frames of latents, which is what is normalised, got {z.shape[2]}")
    return numbers[None, :, : z.shape[2], None, None]
