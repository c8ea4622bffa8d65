"""SigLIP in transformers' SiglipModel: text read bidirectionally over padded tokens, pictures pooled by attention.

SigLIP 2 of a fixed resolution is the same model with Gemma's tokenizer; its NaFlex kind is `siglip2`. Both towers run the
model's own blocks.

References:
    | Sigmoid Loss for Language Image Pre-Training (Zhai et al., 2023)
    | https://arxiv.org/abs/2303.15343
    | SigLIP 2: Multilingual Vision-Language Encoders (Tschannen et al., 2025)
    | https://arxiv.org/abs/2502.14786
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, Map, ObvertError
from obvert.models.parts.dual import Dual, agree
from obvert.models.parts.folder import read_model, read_preprocess
from obvert.models.parts.padded_text import PaddedText
from obvert.models.parts.towers import SCALE, at_least_fp32, spread

PATCHES = 4
"""Pseudo-patches of OVI, as published for ViT-B/16."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Dual:
    """Load a SiglipModel from a local folder.

    Args:
        folder: with config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The dual encoder.

    Raises:
        ObvertError: when a file is missing, or encoding from embeddings does not reproduce the model.
    """
    model = read_model("SiglipModel", folder)
    text, vision = PaddedText.read(model, folder), model.vision_model
    positions = len(vision.embeddings.position_embedding.weight)

    def run_image(patches: Tensor) -> Tensor:
        hidden = vision.encoder(inputs_embeds=patches + vision.embeddings.position_embedding.weight).last_hidden_state
        return at_least_fp32(vision.head(vision.post_layernorm(hidden)))

    def patchify(pixels: Tensor) -> Tensor:
        return vision.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)

    def from_patches(patches: int) -> Map:
        if not 1 <= patches <= positions:
            raise ObvertError(f"need 1 to {positions} pseudo-patches in this picture, got {patches}")

        def call(w: Tensor) -> Tensor:
            return run_image(spread(w.to(text.embedding.dtype), positions))

        return Map(call=call, shape=(patches, vision.config.hidden_size), scale=SCALE)

    text.check()
    side = vision.config.image_size
    preprocess = read_preprocess(folder, side)

    def see(network: Any, images: Sequence[Tensor]) -> Tensor:
        return network.get_image_features(pixel_values=preprocess(images).to(device, dtype)).pooler_output

    with torch.no_grad():
        pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        agree(run_image(patchify(pixels)), model.get_image_features(pixel_values=pixels).pooler_output, "image")
    model.to(device, dtype)
    return Dual(
        card=card,
        device=device,
        dtype=dtype,
        dimension=model.config.text_config.projection_size,
        width=text.embedding.shape[1],
        default_patches=PATCHES,
        preprocess=preprocess,
        pixels_to_features=lambda pixels: run_image(patchify(pixels)),
        texts_to_features=text.features,
        tokens_map=text.from_tokens,
        patches_map=from_patches,
        heads=None,
        parameters=lambda: dict(model.state_dict()),
        tuned_parts=text.parts(folder, see),
    )
