"""Pictures of any size brought to the one that a text-to-image model draws, sounds of any length to that of the longest."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from obvert.core import Diffusion


def native_size(model: Diffusion) -> tuple[int, int]:
    """Height and width of what a model draws: its decoder is asked."""
    height, width = model.autoencoder.decode(torch.zeros(1, *model.shape)).shape[2:]
    return height, width


def stacked(sounds: Sequence[Tensor]) -> Tensor:
    """Sounds (C, S) of several lengths as one batch (B, C, S), the shorter ones ending in silence."""
    longest = max(sound.shape[-1] for sound in sounds)
    return torch.stack([pad(sound, (0, longest - sound.shape[-1])) for sound in sounds])


def fit(picture: Tensor, size: tuple[int, int], name: str = "", *, nearest: bool = False) -> Tensor:
    """Crop a picture around its middle to a shape, then resize it.

    Args:
        picture: (C, H, W) in [0, 1].
        size: height and width wanted.
        name: in whose name a warning says what was done; silent when empty.
        nearest: resize without new values, for masks; otherwise bicubic, antialiased.

    Returns:
        (C, *size); the picture itself where it fits already.
    """
    given = (picture.shape[1], picture.shape[2])
    if given == size:
        return picture
    scale = min(given[0] / size[0], given[1] / size[1])
    height, width = (max(1, min(g, round(s * scale))) for g, s in zip(given, size, strict=True))
    top, left = (given[0] - height) // 2, (given[1] - width) // 2
    part = picture[None, :, top : top + height, left : left + width]
    if name:
        cropped = "" if (height, width) == given else f"cropped to {width} x {height} and "
        warnings.warn(f"{name}: {given[1]} x {given[0]} is {cropped}resized to {size[1]} x {size[0]}", stacklevel=3)
    if nearest:
        return interpolate(part, size, mode="nearest-exact")[0]
    return interpolate(part, size, mode="bicubic", antialias=True)[0].clamp(0, 1)
