"""What a pipeline gives to those who mark its pictures: how they are drawn, and two walks back, to latents and to noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from obvert.core import Diffusion, ObvertError
from obvert.core.batches import by_batches
from obvert.core.diffusion import sample
from obvert.methods.decoder_inversion import DecoderInversion
from obvert.methods.diffusion_inversion import DiffusionInversion
from obvert.methods.gradient_decoder_inversion import GradientDecoderInversion
from obvert.registry import unknown
from obvert.tasks.watermark import Tools

INVERSIONS = ("encoder", "gradient", "gradient-free")
"""Decoder inversions by name."""


def drawing(model: Diffusion, steps: int, guidance: float) -> Callable[[Sequence[str], Tensor], Tensor]:
    """Captions and noise -> pictures (B, 3, H, W) in [0, 1]."""

    def some(captions: Sequence[str], noise: Tensor) -> Tensor:
        latents = sample(model, captions, steps=steps, guidance=guidance, noise=noise)
        return model.autoencoder.decode(latents)

    def draw(captions: Sequence[str], noise: Tensor) -> Tensor:
        parts, _ = by_batches(
            lambda rows, done, total: some(captions[rows], noise[rows]), len(noise), max(1, len(noise)), what="pictures"
        )
        return torch.cat(parts)

    return draw


def decoder_inversion(model: Diffusion, name: str) -> Callable[[Tensor], Tensor]:
    """Pictures -> latents, by one of `INVERSIONS`; ObvertError for another name."""
    if name == "encoder":
        return lambda pictures: _encoded(model, pictures)
    if name not in INVERSIONS:
        raise ObvertError(unknown("decoder inversion", name, list(INVERSIONS)))
    method = DecoderInversion() if name == "gradient-free" else GradientDecoderInversion()
    return lambda pictures: method(model.autoencoder, pictures, seed=0).x


def _encoded(model: Diffusion, pictures: Tensor) -> Tensor:
    parts, _ = by_batches(
        lambda rows, done, total: model.autoencoder.encode(pictures[rows]), len(pictures), max(1, len(pictures)), what="pictures"
    )
    return torch.cat(parts)


def diffusion_inversion(model: Diffusion, steps: int) -> Callable[[Tensor], Tensor]:
    """Latents -> noise, without captions or guidance, which who looks for a watermark does not know."""
    method = DiffusionInversion(steps=steps)

    def back(latents: Tensor) -> Tensor:
        return method(model, latents, captions=None, seed=0).x

    return back


def tools(model: Diffusion, by: Sequence[str], *, steps: int, guidance: float) -> Tools:
    """All that a benchmark needs.

    Args:
        model: the pipeline.
        by: names of decoder inversions.
        steps: of the walk, both ways.
        guidance: of drawing.

    Returns:
        The tools.
    """
    return Tools(
        draw=drawing(model, steps, guidance),
        inversions={name: decoder_inversion(model, name) for name in by},
        back=diffusion_inversion(model, steps),
    )
