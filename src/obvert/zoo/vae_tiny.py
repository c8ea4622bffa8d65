"""zoo/vae-tiny: a smaller autoencoder for the same latents, whose encoder and decoder never met in training.

In diffusers' AutoencoderTiny; each half is distilled from zoo/vae alone, and the encoder, a small one, has seen nothing but
thumbnails x', so that E(D(z)) is far less near to z: the kind of autoencoder on which iterating on the encoder's residual
first helps and then harms.

    L = mean (E(x') - E_vae(x))^2 + mean |D(E_vae(x)) - x| + mean (D(E_vae(x)) - x)^2

References:
    | TAESD: Tiny AutoEncoder for Stable Diffusion (Bohan, 2023), which is distilled so
    | https://github.com/madebyollin/taesd
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from obvert.zoo.scenes import SIDE
from obvert.zoo.training import Report, fit
from obvert.zoo.vae import export, scenes


@dataclass(frozen=True, kw_only=True)
class TinyVaeRecipe:
    """How the autoencoder with two halves that never met is made."""

    teacher: str = "zoo/vae"
    """The autoencoder whose latents it shares: a name that `obvert.load` takes."""
    channels: int = 8
    """Of the encoder; the decoder has 32."""
    thumbnail: int = 12
    """Side of the pictures that the encoder learns from, enlarged again; 64 for the whole ones."""
    steps: int = 1200
    """Steps of training."""
    batch: int = 32
    """Scenes in a step."""
    lr: float = 2e-3
    """Highest learning rate of AdamW; 100 steps of warm-up, then a cosine."""
    pool: int = 8192
    """Scenes drawn beforehand; half of them hold two things."""
    seed: int = 0
    """Of the weights, the scenes and the order."""

    def __post_init__(self) -> None:
        if min(self.steps, self.channels) < 1 or not 1 <= self.batch <= self.pool or self.seed < 0:
            raise ValueError(f"need steps >= 1, channels >= 1, 1 <= batch <= pool and seed >= 0, got {self}")
        if not 1 <= self.thumbnail <= SIDE:
            raise ValueError(f"need a thumbnail of side 1 to {SIDE}, got {self}")

    def build(self) -> Any:
        """The untrained AutoencoderTiny."""
        from diffusers import AutoencoderTiny

        return AutoencoderTiny(
            encoder_block_out_channels=(self.channels,) * 4,
            decoder_block_out_channels=(32, 32, 32, 32),
            num_encoder_blocks=(1, 1, 1, 1),
            num_decoder_blocks=(1, 1, 1, 1),
            latent_channels=4,
            scaling_factor=1.0,
        )

    def loss(self, model: Any, pictures: Tensor, latents: Tensor) -> Tensor:
        """What each half is apart from the teacher.

        Args:
            model: as `build` returned it.
            pictures: (B, 3, 64, 64) in [-1, 1].
            latents: (B, 4, 8, 8) of the teacher.

        Returns:
            The scalar loss.
        """
        wrong = model.decoder(latents).float() - pictures
        blurred = interpolate(adaptive_avg_pool2d(pictures, self.thumbnail), size=(SIDE, SIDE), mode="bilinear")
        read = (model.encoder(blurred).float() - latents).square().mean()
        return read + wrong.abs().mean() + wrong.square().mean()

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the model (fp32, eval) and the minutes it took."""
        from obvert.models import load_autoencoder

        teacher = load_autoencoder(self.teacher, device="cpu")
        torch.manual_seed(self.seed)
        model = self.build()
        drawn = scenes(self.pool, self.seed + 2)
        latents = torch.cat([teacher.encode(part.float() / 255) for part in drawn.split(64)])

        def loss(step: int) -> Tensor:
            rows = np.random.default_rng([self.seed, step]).choice(len(drawn), self.batch, replace=False)
            return self.loss(model, drawn[rows].float() / 127.5 - 1, latents[rows])

        minutes = fit(model.train(), loss, steps=self.steps, lr=self.lr, folder=folder, recipe=repr(self), report=report)
        return model.eval(), minutes

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model as a folder that `obvert.load` takes, half precision, with its card."""
        return export(model, self, folder, minutes)
