"""Stable Diffusion 1 and 2: a UNet that reads the last layer of a CLIP text tower."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, Diffusion, ObvertError
from obvert.models.parts.pipeline import ddim_walk, latent_shape, read_autoencoder, read_network, weights
from obvert.models.parts.text_towers import TextTower, text_side


def stable_diffusion(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Diffusion:
    """A StableDiffusionPipeline; arguments as for `load`. ObvertError for other settings."""
    unet = read_network("UNet2DConditionModel", folder / "unet", dtype).to(device)
    tower = TextTower.read("CLIPTextModel", folder, "", device, dtype)
    if getattr(tower.network.config, "use_attention_mask", False):
        raise ObvertError(f"need a text tower that reads all its tokens in {folder}, got one with an attention mask")
    if unet.config.time_cond_proj_dim is not None or unet.config.in_channels != unet.config.out_channels:
        raise ObvertError(f"need a UNet of latents, times and captions alone in {folder}, got one that takes more")
    prediction, schedule = ddim_walk(folder)
    autoencoder = read_autoencoder(folder, card, device, dtype)

    @torch.no_grad()
    def embed(captions: Sequence[str]) -> Tensor:
        hidden: Tensor = tower.ids(tower.tokens(captions)).last_hidden_state
        return hidden

    def predict(z: Tensor, times: Tensor, condition: Any) -> Tensor:
        out: Tensor = unet(z.to(dtype), times, encoder_hidden_states=condition.to(dtype)).sample
        return out

    return Diffusion(
        card=card,
        device=device,
        dtype=dtype,
        autoencoder=autoencoder,
        shape=latent_shape(unet),
        prediction=prediction,
        embed=embed,
        predict=predict,
        schedule=schedule,
        text=text_side([tower], None, lambda rows: tower.rows(rows[0]).last_hidden_state),
        parameters=lambda: weights(autoencoder, {"unet": unet, "text_encoder": tower.network}),
    )
