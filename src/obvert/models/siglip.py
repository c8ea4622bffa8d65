"""SigLIP in transformers' SiglipModel: text read bidirectionally over padded tokens, pictures pooled by attention.

Every token sees every other, so there is no prefix to remember; the padding is part of what the model was trained on
and is kept. Both towers run the model's own blocks.

References:
    | Sigmoid Loss for Language Image Pre-Training (Zhai et al., 2023)
    | https://arxiv.org/abs/2303.15343
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from obvert.core import Card, Map, ObvertError
from obvert.models.parts.dual import Dual, agree
from obvert.models.parts.folder import opening, read_model, read_preprocess, read_tokenizer
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
    tokenizer = read_tokenizer(folder)
    text, vision = model.text_model, model.vision_model
    prefix, end = opening(tokenizer)
    context = model.config.text_config.max_position_embeddings
    pad = tokenizer.pad_token_id
    if pad is None:
        raise ObvertError(f"need a tokenizer with a padding token in {folder}, got none")
    embedding = text.embeddings.token_embedding.weight
    positions = len(vision.embeddings.position_embedding.weight)

    def run_text(tokens: Tensor) -> Tensor:
        hidden = text.encoder(inputs_embeds=text.embeddings(inputs_embeds=tokens)).last_hidden_state
        return at_least_fp32(text.head(text.final_layer_norm(hidden)[:, -1]))

    def from_tokens(tokens: int) -> Map:
        room = context - len(prefix) - 1
        if not 1 <= tokens <= room:
            raise ObvertError(f"need 1 to {room} pseudo-tokens in this context, got {tokens}")
        before = embedding[prefix]
        after = embedding[[end] + [pad] * (room - tokens)]

        def call(v: Tensor) -> Tensor:
            parts = (before.expand(len(v), -1, -1), v.to(before.dtype), after.expand(len(v), -1, -1))
            return run_text(torch.cat(parts, dim=1))

        return Map(call=call, shape=(tokens, embedding.shape[1]), scale=SCALE)

    def run_image(patches: Tensor) -> Tensor:
        hidden = vision.encoder(inputs_embeds=patches + vision.embeddings.position_embedding.weight).last_hidden_state
        return at_least_fp32(vision.head(vision.post_layernorm(hidden)))

    def patchify(pixels: Tensor) -> Tensor:
        return vision.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)

    def from_patches(patches: int) -> Map:
        if not 1 <= patches <= positions:
            raise ObvertError(f"need 1 to {positions} pseudo-patches in this picture, got {patches}")
        return Map(
            call=lambda w: run_image(spread(w.to(embedding.dtype), positions)), shape=(patches, embedding_width), scale=SCALE
        )

    def texts_to_features(texts: Sequence[str]) -> Tensor:
        ids = tokenizer(list(texts), padding="max_length", truncation=True, max_length=context, return_tensors="pt")
        return model.get_text_features(input_ids=ids["input_ids"].to(device)).pooler_output

    embedding_width = vision.config.hidden_size
    with torch.no_grad():
        ids = torch.tensor([[*prefix, end, end] + [pad] * (context - len(prefix) - 2)])
        agree(from_tokens(1)(embedding[[end]][None]), model.get_text_features(input_ids=ids).pooler_output, "text")
        side = vision.config.image_size
        pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        agree(run_image(patchify(pixels)), model.get_image_features(pixel_values=pixels).pooler_output, "image")
    model.to(device, dtype)
    embedding = text.embeddings.token_embedding.weight
    return Dual(
        card=card,
        device=device,
        dtype=dtype,
        dimension=model.config.text_config.projection_size,
        width=embedding.shape[1],
        default_patches=PATCHES,
        preprocess=read_preprocess(folder),
        pixels_to_features=lambda pixels: run_image(patchify(pixels)),
        texts_to_features=texts_to_features,
        tokens_map=from_tokens,
        patches_map=from_patches,
        heads=None,
        parameters=lambda: dict(model.state_dict()),
    )
