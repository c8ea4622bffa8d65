"""zoo/vae: a small autoencoder of Scenes, in diffusers' own AutoencoderKL, encoder and decoder trained together.

64 x 64 pixels, 8 x 8 latents of 4 channels.

    L = mean (D(z) - x)^2 + w KL(q(z | x) || N(0, 1)),    z drawn from q = E(x)

`scaling_factor` is set at the end so that latents of scenes have deviation 1.

References:
    | High-Resolution Image Synthesis with Latent Diffusion Models (Rombach et al., 2022)
    | https://arxiv.org/abs/2112.10752
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from obvert.zoo.draw import draw
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.scenes import SIDE, sample
from obvert.zoo.training import Report, fit


@dataclass(frozen=True, kw_only=True)
class VaeRecipe:
    """How the small autoencoder is made."""

    steps: int = 2200
    """Steps of training."""
    batch: int = 32
    """Scenes in a step."""
    lr: float = 2e-3
    """Highest learning rate of AdamW; 100 steps of warm-up, then a cosine."""
    pool: int = 16384
    """Scenes drawn beforehand; half of them hold two things."""
    kl: float = 2e-7
    """Weight w of the Kullback-Leibler term, summed over the latents of a scene."""
    seed: int = 0
    """Of the weights, the scenes and the order."""

    def __post_init__(self) -> None:
        if self.steps < 1 or not 1 <= self.batch <= self.pool or self.seed < 0:
            raise ValueError(f"need steps >= 1, 1 <= batch <= pool and seed >= 0, got {self}")

    def build(self) -> Any:
        """The untrained AutoencoderKL."""
        from diffusers import AutoencoderKL

        return AutoencoderKL(
            block_out_channels=(16, 32, 64, 96),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=8,
            sample_size=SIDE,
        )

    def loss(self, model: Any, pictures: Tensor, draw_: torch.Generator) -> Tensor:
        """Reconstruction and Kullback-Leibler terms.

        Args:
            model: as `build` returned it.
            pictures: (B, 3, 64, 64) in [-1, 1].
            draw_: of the latents.

        Returns:
            The scalar loss.
        """
        q = model.encode(pictures).latent_dist
        z = q.mean + q.std * torch.randn(q.mean.shape, generator=draw_).to(q.mean)
        wrong = model.decode(z).sample.float() - pictures
        return wrong.square().mean() + self.kl * q.kl().float().mean()

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the model (fp32, eval) and the minutes it took."""
        torch.manual_seed(self.seed)
        model = self.build()
        drawn = scenes(self.pool, self.seed + 1)

        def loss(step: int) -> Tensor:
            rows = np.random.default_rng([self.seed, step]).choice(len(drawn), self.batch, replace=False)
            return self.loss(model, drawn[rows].float() / 127.5 - 1, torch.Generator().manual_seed(step))

        minutes = fit(model.train(), loss, steps=self.steps, lr=self.lr, folder=folder, recipe=repr(self), report=report)
        return model.eval(), minutes

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model as a folder that `obvert.load` takes, half precision, with its card."""
        with torch.no_grad():
            latents = model.encode(scenes(512, HELD_OUT).float() / 127.5 - 1).latent_dist.mode()
        model.register_to_config(scaling_factor=round(1 / latents.std().item(), 5))
        return export(model, self, folder, minutes)


def scenes(count: int, seed: int) -> Tensor:
    """Scenes of one and of two things, half and half, drawn as (count, 3, 64, 64) uint8."""
    one, two = sample(count - count // 2, seed, things=1), sample(count // 2, seed + 10**6, things=2)
    return torch.cat([draw(one), draw(two)])


def export(model: Any, recipe: Any, folder: Path, minutes: float) -> dict[str, Any]:
    """Write an autoencoder of the zoo and examine what was written.

    Args:
        model: the trained model; turned to half precision.
        recipe: the dataclass that trained it.
        folder: written into; must be there.
        minutes: of training, for the card.

    Returns:
        The card: data, recipe, minutes, held-out scores.
    """
    from obvert.models import load_autoencoder

    model.half().save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)
    card: dict[str, Any] = {"licence": "Apache-2.0", "data": "Scenes, drawn by obvert", "recipe": asdict(recipe)}
    card |= {"torch": torch.__version__, "minutes": round(minutes, 1)}
    (folder / "card.json").write_text(json.dumps(card, indent=1))
    card["scores"] = examine(load_autoencoder(str(folder), device="cpu"))
    (folder / "card.json").write_text(json.dumps(card, indent=1))
    return card


def examine(model: Any, count: int = 256) -> dict[str, float]:
    """Held-out scores of an autoencoder.

    Args:
        model: an `obvert.core.Autoencoder` of 64 x 64 pictures.
        count: scenes it never saw.

    Returns:
        psnr (dB, the mean over scenes), cycle (dB): how far encode(decode(z)) is from z, relative to z.
    """
    pictures = scenes(count, HELD_OUT + 1).float() / 255
    z = torch.cat([model.encode(part) for part in pictures.split(32)])
    seen = torch.cat([model.decode(part) for part in z.split(32)])
    again = torch.cat([model.encode(part) for part in seen.split(32)])
    wrong = (seen - pictures).square().flatten(1).mean(1)
    cycle = (again - z).flatten(1).square().sum(1) / z.flatten(1).square().sum(1)
    return {"psnr": round(-10 * wrong.log10().mean().item(), 2), "cycle": round(10 * cycle.log10().mean().item(), 2)}
