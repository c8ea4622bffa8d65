"""SigLIP 2 NaFlex in transformers' Siglip2Model: pictures in their own aspect ratio, up to a number of patches.

Each picture has its own grid of patches, at most `max_num_patches`, to which the position embeddings are resized; shorter
rows are padded and masked. Pictures run the model's own code. OVI has no picture, so no grid: its pseudo-patches are spread
over a square one, of the largest side whose square is at most `max_num_patches`, without padding. Nothing is published on
how many pseudo-patches this model wants; the default is that of SigLIP ViT-B/16. Texts are read bidirectionally, padding
kept, as SigLIP's. SigLIP 2 of a fixed resolution is `siglip`.

References:
    | SigLIP 2: Multilingual Vision-Language Encoders (Tschannen et al., 2025)
    | https://arxiv.org/abs/2502.14786
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, Map, ObvertError
from obvert.models.parts.dual import Dual, agree
from obvert.models.parts.folder import preprocessor_file, read_model
from obvert.models.parts.naflex import NaflexPreprocess, Patches
from obvert.models.parts.padded_text import PaddedText
from obvert.models.parts.towers import SCALE, at_least_fp32, spread

PATCHES = 4
"""Pseudo-patches of OVI."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Dual:
    """Load a Siglip2Model from a local folder.

    Args:
        folder: with config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The dual encoder; its `preprocess` gives `Patches`.

    Raises:
        ObvertError: when a file is missing or does not fit, or encoding from embeddings does not reproduce the model.
    """
    model = read_model("Siglip2Model", folder)
    vision = model.vision_model
    if not vision.use_head:
        raise ObvertError(f"need a Siglip2Model that pools its pictures in {folder}, got vision_use_head off")
    preprocess = read_naflex(folder, vision.config.patch_size)
    text = PaddedText.read(model, folder)
    side = math.isqrt(preprocess.most)

    def from_patches(patches: int) -> Map:
        if not 1 <= patches <= side * side:
            raise ObvertError(f"need 1 to {side * side} pseudo-patches in this picture, got {patches}")
        positions = square(vision.embeddings, side)

        def call(w: Tensor) -> Tensor:
            hidden = vision.encoder(inputs_embeds=spread(w.to(positions.dtype), side * side) + positions).last_hidden_state
            return at_least_fp32(vision.head(vision.post_layernorm(hidden)))

        return Map(call=call, shape=(patches, vision.config.hidden_size), scale=SCALE)

    def read_patches(network: Any, patches: Patches) -> Tensor:
        return network.get_image_features(
            pixel_values=patches.values, pixel_attention_mask=patches.mask, spatial_shapes=patches.shapes
        ).pooler_output

    def pixels_to_features(patches: Patches) -> Tensor:
        return read_patches(model, patches)

    text.check()
    with torch.no_grad():
        values = torch.randn(1, side * side, 3 * preprocess.patch**2, generator=torch.Generator().manual_seed(0))
        whole = Patches(values=values, mask=torch.ones(1, side * side, dtype=torch.int32), shapes=torch.tensor([[side, side]]))
        agree(from_patches(side * side)(vision.embeddings.patch_embedding(values)), pixels_to_features(whole), "image")
    model.to(device, dtype)
    return Dual(
        card=card,
        device=device,
        dtype=dtype,
        dimension=model.config.text_config.projection_size,
        width=text.embedding.shape[1],
        default_patches=min(PATCHES, side * side),
        preprocess=preprocess,
        pixels_to_features=pixels_to_features,
        texts_to_features=text.features,
        tokens_map=text.from_tokens,
        patches_map=from_patches,
        heads=None,
        parameters=lambda: dict(model.state_dict()),
        tuned_parts=text.parts(folder, lambda network, images: read_patches(network, preprocess(images).to(device, dtype))),
    )


def read_naflex(folder: Path, patch: int) -> NaflexPreprocess:
    """The folder's preprocessor_config.json; ObvertError when it is not there, not supported or of other patches."""
    path = preprocessor_file(folder)
    try:
        preprocess = NaflexPreprocess.from_config(json.loads(path.read_text()))
    except ValueError as error:
        raise ObvertError(f"{path}: {error}") from error
    if preprocess.patch != patch:
        raise ObvertError(f"need patches of {patch} pixels in {path}, got {preprocess.patch}")
    return preprocess


def square(embeddings: Any, side: int) -> Tensor:
    """Position embeddings of a square grid, (side * side, width), resized by the model's own code."""
    own = embeddings.position_embedding_size
    table = embeddings.position_embedding.weight.detach().reshape(own, own, -1)
    return embeddings.resize_positional_embeddings(table, torch.tensor([[side, side]]), max_length=side * side)[0]
