"""Videos through an autoencoder of pictures, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from obvert.core import Autoencoder, ObvertError
from obvert.models.parts.autoencoders import fold, unfold


def by_frames(autoencoder: Autoencoder, chunk: int = 8) -> Autoencoder:
    """An autoencoder of videos that takes each frame as a picture of its own.

    Args:
        autoencoder: of pictures.
        chunk: frames at a time; the result is the same, the memory is not.

    Returns:
        (B, C, T, H, W) videos <-> (B, c, T, h, w) latents, any T.

    Raises:
        ObvertError: for an autoencoder of other media, or a chunk below 1.
    """
    if autoencoder.media != "picture" or chunk < 1:
        raise ObvertError(f"need an autoencoder of pictures and chunk >= 1, got one of {autoencoder.media}s and {chunk}")

    def each(call: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            if x.ndim != 5:
                raise ObvertError(f"need 5 axes (B, C, T, H, W) for {autoencoder.card.name} by frames, got {tuple(x.shape)}")
            return unfold(torch.cat([call(some) for some in fold(x).split(chunk)]), x)

        return run

    def check(shape: tuple[int, ...]) -> None:
        if shape[2] < 1:
            raise ObvertError(f"need one frame or more for {autoencoder.card.name} by frames, got none")
        autoencoder.check((shape[0] * shape[2], shape[1], *shape[3:]))

    model = replace(
        autoencoder,
        media="video",
        to_latents=each(autoencoder.to_latents),
        to_media=each(autoencoder.to_media),
        cast=lambda dtype: model if dtype == autoencoder.dtype else by_frames(autoencoder.cast(dtype), chunk),
        check=check,
        frames=chunk,
    )
    return model
