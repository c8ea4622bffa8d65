"""CLIP in transformers' CLIPModel: OpenAI's checkpoints, their kin, and zoo/clip.

References:
    | Learning Transferable Visual Models From Natural Language Supervision (Radford et al., 2021)
    | https://arxiv.org/abs/2103.00020
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, ObvertError
from obvert.models.parts.dual import Dual, agree
from obvert.models.parts.folder import opening, read_model, read_preprocess, read_tokenizer, write_model
from obvert.models.parts.towers import CausalText, VisionTower
from obvert.models.parts.transformer import Block
from obvert.models.parts.tuning import Head, TunedParts

PATCHES = {14: 4, 16: 1, 32: 1}
"""Pseudo-patches of OVI by patch size, as published for ViT-L/14 and ViT-B/32."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Dual:
    """Load a CLIPModel from a local folder.

    Args:
        folder: with config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to, after the fast paths were checked in fp32.

    Returns:
        The dual encoder.

    Raises:
        ObvertError: when a file is missing, or a fast path does not reproduce the model.
    """
    model = read_model("CLIPModel", folder)
    tokenizer = read_tokenizer(folder)
    text, vision = text_tower(model, tokenizer), vision_tower(model)
    _check(model, text, vision)
    model.to(device, dtype)
    text, vision = text_tower(model, tokenizer), vision_tower(model)
    context, preprocess = len(text.positions), read_preprocess(folder)

    def encode(network: Any, texts: Sequence[str]) -> Tensor:
        ids = tokenizer(list(texts), padding=True, truncation=True, max_length=context, return_tensors="pt").to(device)
        return network.get_text_features(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).pooler_output

    def see(network: Any, images: Sequence[Tensor]) -> Tensor:
        tower = vision_tower(network)
        return tower(tower.patchify(preprocess(images).to(device, dtype)))

    return Dual(
        card=card,
        device=device,
        dtype=dtype,
        dimension=model.config.projection_dim,
        width=text.embedding.shape[1],
        default_patches=PATCHES.get(model.config.vision_config.patch_size, 1),
        preprocess=preprocess,
        pixels_to_features=lambda pixels: vision(vision.patchify(pixels)),
        texts_to_features=lambda texts: encode(model, texts),
        tokens_map=text.from_tokens,
        patches_map=vision.from_patches,
        heads=(model.visual_projection.weight.detach(), model.text_projection.weight.detach()),
        parameters=lambda: dict(model.state_dict()),
        tuned_parts=TunedParts(
            network=model,
            pictures="vision_model",
            words="text_model",
            head=Head(module="text_projection"),
            picture_head=Head(module="visual_projection"),
            encode=encode,
            see=see,
            write=lambda network, place: write_model(network, place, folder),
        ),
    )


def text_tower(model: Any, tokenizer: Any) -> CausalText:
    """The text tower over the model's own weights."""
    tower = model.text_model
    prefix, end = opening(tokenizer)
    return CausalText(
        embedding=tower.embeddings.token_embedding.weight,
        positions=tower.embeddings.position_embedding.weight,
        blocks=[_block(layer) for layer in tower.encoder.layers],
        norm=tower.final_layer_norm,
        project=model.text_projection,
        prefix=prefix,
        end=end,
    )


def vision_tower(model: Any) -> VisionTower:
    """The image tower over the model's own weights."""
    tower = model.vision_model
    patches = tower.embeddings.patch_embedding
    return VisionTower(
        patchify=lambda pixels: patches(pixels).flatten(2).transpose(1, 2),
        token=tower.embeddings.class_embedding.detach(),
        positions=tower.embeddings.position_embedding.weight.detach(),
        norm_in=tower.pre_layrnorm,
        blocks=[_block(layer) for layer in tower.encoder.layers],
        norm_out=tower.post_layernorm,
        project=model.visual_projection,
    )


def _block(layer: Any) -> Block:
    attention = layer.self_attn
    return Block(
        norm1=layer.layer_norm1,
        query=attention.q_proj,
        key=attention.k_proj,
        value=attention.v_proj,
        out=attention.out_proj,
        norm2=layer.layer_norm2,
        mlp=layer.mlp,
        heads=attention.num_heads,
    )


@torch.no_grad()
def _check(model: Any, text: CausalText, vision: VisionTower) -> None:
    """The fast paths against the model's own code, on a real sentence and on a noise picture."""
    if model.config.text_config.eos_token_id == 2 and text.end != len(text.embedding) - 1:
        raise ObvertError("this config pools its text at the largest token id (eos_token_id 2), which is not its end token")
    words = [i for i in range(len(text.embedding)) if i != text.end][-2:]
    ids = torch.tensor([[*text.prefix, *words, text.end]])
    slow = model.get_text_features(input_ids=ids).pooler_output
    agree(text.from_tokens(2)(text.embedding[words][None]), slow, "text")
    side = model.config.vision_config.image_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    agree(vision(vision.patchify(pixels)), model.get_image_features(pixel_values=pixels).pooler_output, "image")
