"""Autoencoders of diffusers: pictures, video and sound, all through one adapter and a table of facts.

    z = normalise(mode of encode(2 x - 1)),    x = (decode(undo(z)) + 1) / 2

diffusers works on [-1, 1], AutoencoderTiny too; sound stays as it is. Networks run in their dtype; everything outside is fp32.
Nothing is tiled or sliced: the result would depend on the size of the tiles.

VQModel: latents are those before quantisation. Decoding quantises them, as the latent-diffusion models do, and its gradient is
straight-through: that of a decoder which does not. Kandinsky's (`norm_type` "spatial") does not quantise, as its pipelines.

References:
    | High-Resolution Image Synthesis with Latent Diffusion Models (Rombach et al., 2022)
    | https://arxiv.org/abs/2112.10752
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Autoencoder, Card, ObvertError
from obvert.models.parts.autoencoders import FACTS, Facts
from obvert.models.parts.folder import read_autoencoder
from obvert.models.parts.normalise import Normalisation, read_normalisation
from obvert.registry import unknown

AXES = {"picture": 4, "video": 5, "sound": 3}


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Autoencoder:
    """Load an autoencoder from a local folder.

    Args:
        folder: with config.json and safetensors as diffusers writes them.
        card: who it is; its family is the class.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The autoencoder.

    Raises:
        ObvertError: for a class that is not known, broken files, or numbers that cannot normalise.
    """
    if card.family not in FACTS:
        raise ObvertError(unknown("autoencoder class", card.family, list(FACTS)) + f" (in {folder})")
    facts = FACTS[card.family]
    network = read_autoencoder(card.family, folder).to(device)
    return build(network.to(dtype=dtype), facts, card, read_normalisation(network, facts.channels(network)))


def build(network: Any, facts: Facts, card: Card, normalisation: Normalisation) -> Autoencoder:
    """An autoencoder around a network of diffusers.

    Args:
        network: frozen, in eval mode, where and in which dtype it is to run.
        facts: of its class.
        card: who it is.
        normalisation: of its latents.

    Returns:
        The autoencoder.
    """
    device, dtype = network.device, network.dtype
    channels, axes = facts.channels(network) * normalisation.patch**2, AXES[facts.media]
    signed = facts.media == "sound"
    quantises = {"force_not_quantize": True} if card.family == "VQModel" and network.config.norm_type == "spatial" else {}

    def to_latents(media: Tensor) -> Tensor:
        found = getattr(network.encode((media if signed else media * 2 - 1).to(dtype)), facts.reads)
        return normalisation.apply((found.mode() if facts.reads == "latent_dist" else found).float())

    def to_media(latents: Tensor) -> Tensor:
        if latents.ndim != axes or latents.shape[1] != channels:
            wanted = f"(B, {channels}, ...) with {axes} axes"
            raise ObvertError(f"need latents {wanted} for {card.name}, got {tuple(latents.shape)}")
        media = network.decode(normalisation.undo(latents.float()).to(dtype), **quantises).sample.float()
        return media if signed else (media + 1) / 2

    def cast(wanted: torch.dtype) -> Autoencoder:
        if wanted == dtype:
            return model
        return build(copy.deepcopy(network).to(dtype=wanted), facts, card, normalisation)

    edge = facts.spatial(network) * normalisation.patch
    model = Autoencoder(
        card=card,
        device=device,
        dtype=dtype,
        to_latents=to_latents,
        to_media=to_media,
        cast=cast,
        parameters=lambda: dict(network.state_dict()),
        media=facts.media,
        bounds=(-1.0, 1.0) if signed else (0.0, 1.0),
        multiple=(edge,) if facts.media == "sound" else (edge, edge),
    )
    return model
