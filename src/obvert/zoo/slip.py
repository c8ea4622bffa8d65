"""zoo/clip-slip: the small CLIP with an intra-modal loss besides, so that pictures are compared with pictures in training.

To the contrastive loss of zoo/clip comes SimCLR on two random views of each picture: crops, mirror images and changed
light, read by the image tower and a small head that is thrown away afterwards.

    L = L_clip + w L_simclr,    L_simclr = cross-entropy of each view finding its twin among all views, at temperature 0.1

Hues are left alone: the Scenes' colours are what captions talk about.

References:
    | SLIP: Self-supervision meets Language-Image Pre-training (Mu et al., 2022)
    | https://arxiv.org/abs/2112.12750
    | A Simple Framework for Contrastive Learning of Visual Representations (Chen et al., 2020)
    | https://arxiv.org/abs/2002.05709
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from obvert.zoo.clip import ClipRecipe


@dataclass(frozen=True, kw_only=True)
class SlipRecipe(ClipRecipe):
    """How the CLIP with an intra-modal loss is made."""

    weight: float = 1.0
    """Weight w of the intra-modal loss."""
    views: int = 128
    """Pictures of a batch that are seen twice more."""

    def build(self) -> Any:
        """An untrained zoo CLIP with the head that SimCLR reads."""
        model = super().build()
        model.view_head = nn.Sequential(nn.Linear(128, 256), nn.GELU(), nn.Linear(256, 64))
        return model

    def published(self) -> Any:
        """The CLIP alone."""
        return super().build()

    def loss(self, model: Any, pictures: Tensor, texts: list[str], rng: np.random.Generator) -> Tensor:
        """The contrastive loss of CLIP and that of SimCLR."""
        few = pictures[: self.views]
        seen = torch.cat([view(few, rng), view(few, rng)])
        codes = F.normalize(model.view_head(model.vision_model(pixel_values=seen).pooler_output).float(), dim=1)
        return super().loss(model, pictures, texts, rng) + self.weight * simclr(codes)


def simclr(codes: Tensor, temperature: float = 0.1) -> Tensor:
    """How badly each view finds its twin among all the others: the mean cross-entropy.

    Args:
        codes: (2 B, d) unit norm; rows i and B + i are views of one picture.
        temperature: of the softmax.

    Returns:
        The scalar loss.
    """
    logits = codes @ codes.T / temperature
    logits = logits.masked_fill(torch.eye(len(codes), dtype=torch.bool, device=codes.device), -torch.inf)
    twins = torch.arange(len(codes), device=codes.device).roll(len(codes) // 2)
    return F.cross_entropy(logits, twins)


def view(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """A random view of each picture: a crop of 60 to 100 % of each side, perhaps mirrored, lighter or darker, noisier.

    Args:
        pictures: (B, 3, H, W) in [-1, 1].
        rng: of the draws.

    Returns:
        (B, 3, H, W) in [-1, 1].
    """
    count = len(pictures)
    scale = rng.uniform(0.6, 1.0, count)
    shift = rng.uniform(-1, 1, (count, 2)) * (1 - scale)[:, None]
    mirror = rng.choice([-1.0, 1.0], count)
    zero = np.zeros(count)
    affine = np.stack([np.stack([scale * mirror, zero, shift[:, 0]], 1), np.stack([zero, scale, shift[:, 1]], 1)], 1)
    grid = F.affine_grid(torch.from_numpy(affine).to(pictures), list(pictures.shape), align_corners=False)
    crops = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    light = torch.from_numpy(rng.uniform(0.7, 1.3, (count, 1, 1, 1))).to(pictures)
    noise = torch.from_numpy(rng.normal(0, 0.05, crops.shape).astype(np.float32)).to(pictures)
    return (((crops + 1) * light - 1) + noise).clamp(-1, 1)
