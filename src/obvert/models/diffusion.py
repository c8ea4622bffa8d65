"""Text-to-image pipelines of diffusers: Stable Diffusion 1 and 2, Stable Diffusion 3, zoo/diffusion.

The parts are read one by one in their own classes, so that nothing but weights and settings is taken from a folder;
the sampler is ours and gives the latents that diffusers' own pipeline gives with DDIM, or Euler for a flow.

References:
    | High-Resolution Image Synthesis with Latent Diffusion Models (Rombach et al., 2022)
    | https://arxiv.org/abs/2112.10752
    | Scaling Rectified Flow Transformers for High-Resolution Image Synthesis (Esser et al., 2024)
    | https://arxiv.org/abs/2403.03206
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.core import Autoencoder, Card, Diffusion, ObvertError
from obvert.models.parts.pipeline import ddim_walk, flow_walk, has, read_autoencoder, read_json, read_network, read_text
from obvert.registry import unknown

LONG = 256
"""Tokens that the third text tower of Stable Diffusion 3 reads, as its pipeline has it."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Diffusion:
    """Load a pipeline from a local folder.

    Args:
        folder: with model_index.json and a folder a part, in safetensors.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The model, frozen, in eval mode.

    Raises:
        ObvertError: for a pipeline of another class, or broken files.
    """
    kind = str(read_json(folder / "model_index.json").get("_class_name", "nothing"))
    if kind not in PIPELINES:
        raise ObvertError(unknown("pipeline", kind, list(PIPELINES)) + f" (in {folder})")
    model: Diffusion = PIPELINES[kind](folder, card, device, dtype)
    return model


def stable_diffusion(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Diffusion:
    """A UNet that reads the last layer of a CLIP text tower; arguments as for `load`. ObvertError for other settings."""
    unet = read_network("UNet2DConditionModel", folder / "unet", dtype).to(device)
    text, tokens = read_text("CLIPTextModel", folder, "", device, dtype)
    if getattr(text.config, "use_attention_mask", False):
        raise ObvertError(f"need a text tower that reads all its tokens in {folder}, got one with an attention mask")
    if unet.config.time_cond_proj_dim is not None or unet.config.in_channels != unet.config.out_channels:
        raise ObvertError(f"need a UNet of latents, times and captions alone in {folder}, got one that takes more")
    prediction, schedule = ddim_walk(folder)
    autoencoder = read_autoencoder(folder, card, device, dtype)

    @torch.no_grad()
    def embed(captions: Sequence[str]) -> Tensor:
        hidden: Tensor = text(input_ids=tokens(list(captions))).last_hidden_state
        return hidden

    def predict(z: Tensor, times: Tensor, condition: Any) -> Tensor:
        out: Tensor = unet(z.to(dtype), times, encoder_hidden_states=condition.to(dtype)).sample
        return out

    return Diffusion(
        card=card,
        device=device,
        dtype=dtype,
        autoencoder=autoencoder,
        shape=_shape(unet),
        prediction=prediction,
        embed=embed,
        predict=predict,
        schedule=schedule,
        parameters=lambda: _weights(autoencoder, {"unet": unet, "text_encoder": text}),
    )


def stable_diffusion_3(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Diffusion:
    """A transformer that reads two CLIP text towers, and a T5 where it is there; arguments as for `load`."""
    network = read_network("SD3Transformer2DModel", folder / "transformer", dtype).to(device)
    towers = [read_text("CLIPTextModelWithProjection", folder, "", device, dtype)]
    length = towers[0][1]([""]).shape[1]
    towers += [read_text("CLIPTextModelWithProjection", folder, "_2", device, dtype, length)]
    third = read_text("T5EncoderModel", folder, "_3", device, dtype, LONG) if has(folder, "text_encoder_3") else None
    autoencoder = read_autoencoder(folder, card, device, dtype)
    width, shape = network.config.joint_attention_dim, _shape(network)
    parts = {"text_encoder": towers[0][0], "text_encoder_2": towers[1][0]} | ({"text_encoder_3": third[0]} if third else {})

    @torch.no_grad()
    def embed(captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        seen = [tower(tokens(list(captions)), output_hidden_states=True) for tower, tokens in towers]
        short = torch.cat([one.hidden_states[-2] for one in seen], dim=-1)
        long = third[0](third[1](list(captions)))[0] if third else short.new_zeros(len(captions), LONG, width)
        hidden = torch.cat((pad(short, (0, width - short.shape[-1])), long), dim=1)
        return hidden, torch.cat([one.text_embeds for one in seen], dim=-1)

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
        schedule=flow_walk(folder, (shape[1] // network.config.patch_size) * (shape[2] // network.config.patch_size)),
        parameters=lambda: _weights(autoencoder, {"transformer": network} | parts),
    )


PIPELINES = {"StableDiffusionPipeline": stable_diffusion, "StableDiffusion3Pipeline": stable_diffusion_3}
"""diffusers' class -> what makes a model of its folder."""


def _shape(network: Any) -> tuple[int, int, int]:
    size = network.config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    return network.config.in_channels, height, width


def _weights(autoencoder: Autoencoder, parts: dict[str, Any]) -> dict[str, Tensor]:
    found = {f"vae.{key}": value for key, value in autoencoder.parameters().items()}
    for name, part in parts.items():
        found |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
    return found
