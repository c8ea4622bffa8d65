"""Autoencoders of diffusers: pictures, video and sound, all through one adapter and a table of facts.

    z = normalise(mode of encode(2 x - 1)),    x = (decode(undo(z)) + 1) / 2

diffusers works on [-1, 1], AutoencoderTiny too; sound stays as it is. Networks run in their dtype; all outside is fp32.
Nothing is tiled or sliced: the result would depend on the size of the tiles.

Worth knowing:
    VQModel: latents are those before quantisation. Decoding quantises them, as latent-diffusion models do, and its gradient is
        straight-through, that of a decoder which does not. Kandinsky's (`norm_type` "spatial") is neither quantised nor scaled.
    Wan, QwenImage: the decoder clips its output itself, so no gradient comes from pixels beyond the bounds.
    QwenImage: a network of videos for a generator of pictures; here it takes pictures, and latents have no axis of time.
    Cosmos: its pipelines multiply the latents by sigma_data of their scheduler besides; that is the scheduler's.
    Mochi: its encoder reads sines of 128 pi x, which 16 bits cannot tell apart: encode in fp32.
    LTX: where the decoder wants a time it is 0; where it adds noise, the noise is the same in every call.
    CogVideoX: it encodes 8 and decodes 2 latents at a time, itself; videos of 1 + 8 k frames come back as long.
    KLTemporalDecoder: all frames of a video are decoded together; its pipeline decodes some at a time.

References:
    | High-Resolution Image Synthesis with Latent Diffusion Models (Rombach et al., 2022)
    | https://arxiv.org/abs/2112.10752
"""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from obvert.core import Autoencoder, Card, ObvertError
from obvert.models.parts.autoencoders import FACTS, Facts, any_number, fresh
from obvert.models.parts.folder import read_autoencoder
from obvert.models.parts.lean import lean
from obvert.models.parts.normalise import Normalisation, read_normalisation
from obvert.models.parts.towers import at_least_fp32
from obvert.registry import unknown

AXES = {"picture": 4, "video": 5, "sound": 3}


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Autoencoder:
    """Load an autoencoder from a local folder.

    Args:
        folder: with config.json and safetensors as diffusers writes them.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The autoencoder.

    Raises:
        ObvertError: for a class that is not known, broken files, or numbers that cannot normalise.
    """
    kind = str(json.loads((folder / "config.json").read_text())["_class_name"])
    if kind not in FACTS:
        raise ObvertError(unknown("autoencoder class", kind, list(FACTS)) + f" (in {folder})")
    facts = FACTS[kind]
    network = read_autoencoder(kind, folder).to(device)
    lean(network)
    normalisation = read_normalisation(network, facts.channels(network))  # before its numbers are rounded
    return build(network.to(dtype=dtype), facts, card, normalisation)


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
    signed = facts.media == "sound"
    edge, step, inputs = facts.spatial(network) * normalisation.patch, facts.step(network), facts.inputs(network)
    channels, axes = facts.channels(network) * normalisation.patch**2, AXES[facts.media]

    def to_latents(media: Tensor) -> Tensor:
        with fresh(network):
            found = any_number(facts.encode, network, (media if signed else media * 2 - 1).to(dtype))
        return normalisation.apply(at_least_fp32(found))

    def to_media(latents: Tensor) -> Tensor:
        if latents.ndim != axes or latents.shape[1] != channels or 0 in latents.shape[2:]:
            raise ObvertError(f"need latents (B, {channels}, ...) of {axes} axes for {card.name}, got {tuple(latents.shape)}")
        with fresh(network):
            media = at_least_fp32(any_number(facts.decode, network, normalisation.undo(latents).to(dtype)))
        return media if signed else (media + 1) / 2

    def check(shape: tuple[int, ...]) -> None:
        if shape[1] != inputs or 0 in shape[2:]:
            raise ObvertError(f"need {facts.media}s of {inputs} channels, not empty, for {card.name}, got {shape}")
        if facts.media == "video" and (shape[2] - 1) % step:
            below = (shape[2] - 1) // step * step + 1
            nearest = f"e.g. {below} or {below + step}"
            raise ObvertError(f"need 1 + {step} k frames for {card.name}, {nearest}, got {shape[2]}")

    @functools.cache  # so that who casts again and again holds one copy
    def cast(wanted: torch.dtype) -> Autoencoder:
        if wanted == dtype:
            return model
        return build(copy.deepcopy(network).to(dtype=wanted), facts, card, normalisation)

    model = Autoencoder(
        card=card,
        device=device,
        dtype=dtype,
        to_latents=to_latents,
        to_media=to_media,
        cast=cast,
        parameters=lambda: dict(network.state_dict()),
        blocks=lambda: () if facts.media == "video" else innermost(network.decoder),  # networks of videos remember frames
        media=facts.media,
        bounds=(-1.0, 1.0) if signed else (0.0, 1.0),
        multiple=(edge,) if signed else (edge, edge),
        channels=inputs,
        rate=facts.rate(network),
        check=check,
    )
    return model


def innermost(network: nn.Module) -> list[nn.Module]:
    """The blocks of a network: members of its lists and sequences, those that hold no such lists themselves."""
    lists = (nn.ModuleList, nn.Sequential)
    members = [member for part in network.modules() if isinstance(part, lists) for member in part]
    return [member for member in members if not any(isinstance(part, lists) for part in member.modules())]
