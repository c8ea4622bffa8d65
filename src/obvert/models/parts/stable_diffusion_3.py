"""Stable Diffusion 3: a transformer that reads two CLIP text towers, and a T5 where it is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.core import Card, Diffusion
from obvert.models.parts.pipeline import flow_walk, has, latent_shape, read_autoencoder, read_network, weights
from obvert.models.parts.text_towers import TextTower, text_side

LONG = 256
"""Tokens that the T5 reads, as the pipeline has it."""


def stable_diffusion_3(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Diffusion:
    """A StableDiffusion3Pipeline; arguments as for `load`."""
    network = read_network("SD3Transformer2DModel", folder / "transformer", dtype).to(device)
    first = TextTower.read("CLIPTextModelWithProjection", folder, "", device, dtype)
    second = TextTower.read("CLIPTextModelWithProjection", folder, "_2", device, dtype, first.length)
    third = TextTower.read("T5EncoderModel", folder, "_3", device, dtype, LONG) if has(folder, "text_encoder_3") else None
    towers = {"text_encoder": first, "text_encoder_2": second} | ({"text_encoder_3": third} if third else {})
    autoencoder = read_autoencoder(folder, card, device, dtype)
    width, shape, patch = network.config.joint_attention_dim, latent_shape(network), network.config.patch_size

    def told(seen: list[Any]) -> tuple[Tensor, Tensor]:
        """What the network takes of what the towers give."""
        short = torch.cat([one.hidden_states[-2] for one in seen[:2]], dim=-1)
        long = seen[2].last_hidden_state if third else short.new_zeros(len(short), LONG, width)
        hidden = torch.cat((pad(short, (0, width - short.shape[-1])), long), dim=1)
        return hidden, torch.cat([one.text_embeds for one in seen[:2]], dim=-1)

    @torch.no_grad()
    def embed(captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        return told([tower.ids(tower.tokens(captions), hidden=True) for tower in towers.values()])

    def condition(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
        return told([tower.rows(part, hidden=True) for tower, part in zip(towers.values(), rows, strict=True)])

    def predict(z: Tensor, times: Tensor, condition: Any) -> Tensor:
        hidden, pooled = (part.to(dtype) for part in condition)
        out: Tensor = network(
            hidden_states=z.to(dtype), timestep=times, encoder_hidden_states=hidden, pooled_projections=pooled
        ).sample
        return out

    return Diffusion(
        card=card,
        device=device,
        dtype=dtype,
        autoencoder=autoencoder,
        shape=shape,
        prediction="flow",
        embed=embed,
        predict=predict,
        schedule=flow_walk(folder, (shape[1] // patch) * (shape[2] // patch)),
        text=text_side([first, second], third, condition),
        guidance=7.0,
        parameters=lambda: weights(autoencoder, {"transformer": network} | {n: t.network for n, t in towers.items()}),
    )
