"""Flux: a transformer of latents in packs of 2 x 2, which reads a T5 and the pooled features of a CLIP text tower.

    pack (B, C, H, W) -> (B, H/2 W/2, 4 C)

Outside of the network latents are never packed. The guidance that it draws with is told to the network where it was distilled
to take it (dev); where it was not (schnell), guidance other than 1 asks it twice, as for any model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from obvert.core import Card, Diffusion, ObvertError
from obvert.models.parts.pipeline import flow_walk, read_autoencoder, read_json, read_network, weights
from obvert.models.parts.text_towers import TextTower, text_side

LONG = 512
"""Tokens that the T5 reads, as the pipeline has it."""


def flux(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Diffusion:
    """A FluxPipeline; arguments as for `load`. ObvertError for a network that takes more than latents and texts."""
    network = read_network("FluxTransformer2DModel", folder / "transformer", dtype).to(device)
    config = network.config
    if config.patch_size != 1 or config.out_channels not in (None, config.in_channels):
        raise ObvertError(f"need a Flux of latents and captions alone in {folder}, got one that takes more")
    short = TextTower.read("CLIPTextModel", folder, "", device, dtype)
    long = TextTower.read("T5EncoderModel", folder, "_2", device, dtype, LONG)
    autoencoder = read_autoencoder(folder, card, device, dtype)
    side = int(read_json(folder / "vae" / "config.json").get("sample_size", 1024)) // autoencoder.multiple[0]
    texts, places = torch.zeros(LONG, 3, device=device), _places(side // 2, device)

    @torch.no_grad()
    def embed(captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        pooled = short.ids(short.tokens(captions)).pooler_output
        return long.ids(long.tokens(captions)).last_hidden_state, pooled

    def condition(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
        return long.rows(rows[1]).last_hidden_state, short.rows(rows[0]).pooler_output

    def told(condition: Any, guidance: float) -> tuple[Tensor, ...]:
        return *condition, torch.full((len(condition[0]),), guidance, device=device)

    def predict(z: Tensor, times: Tensor, condition: Any) -> Tensor:
        hidden, pooled, *guidance = condition
        out: Tensor = network(
            hidden_states=pack(z.to(dtype)),
            timestep=times.to(z.dtype) / 1000,
            guidance=guidance[0] if guidance else None,
            pooled_projections=pooled.to(dtype),
            encoder_hidden_states=hidden.to(dtype),
            txt_ids=texts,
            img_ids=places,
        ).sample
        return unpack(out, side)

    return Diffusion(
        card=card,
        device=device,
        dtype=dtype,
        autoencoder=autoencoder,
        shape=(config.in_channels // 4, side, side),
        prediction="flow",
        embed=embed,
        predict=predict,
        schedule=flow_walk(folder, len(places), even=True, most=1.15),
        text=text_side([short], long, condition),
        guidance=3.5 if config.guidance_embeds else 1.0,
        told=told if config.guidance_embeds else None,
        parameters=lambda: weights(
            autoencoder, {"transformer": network, "text_encoder": short.network, "text_encoder_2": long.network}
        ),
    )


def pack(z: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H/2 W/2, 4 C)."""
    return pixel_unshuffle(z, 2).flatten(2).transpose(1, 2)


def unpack(packs: Tensor, side: int) -> Tensor:
    """(B, side/2 side/2, 4 C) -> (B, C, side, side)."""
    return pixel_shuffle(packs.transpose(1, 2).unflatten(2, (side // 2, side // 2)), 2)


def _places(side: int, device: torch.device) -> Tensor:
    """(side side, 3): 0, row and column of each pack."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.stack((torch.zeros_like(row), row, column), dim=-1).flatten(0, 1).float().to(device)
