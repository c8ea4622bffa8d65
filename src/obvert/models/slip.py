"""SLIP: CLIP trained with a self-supervised loss on pictures besides; a timm vision transformer and CLIP's causal text tower.

SLIP is published as pickles, which are never read here. Convert one outside, once, with torch's `load`:

    torch.serialization.add_safe_globals([argparse.Namespace])
    state = load("slip_base_100ep.pt", map_location="cpu", weights_only=True)["state_dict"]
    safetensors.torch.save_file({name: w.contiguous() for name, w in state.items()}, "FOLDER/model.safetensors")

Beside it go CLIP's tokenizer files (vocab.json and merges.txt, or tokenizer.json), preprocessor_config.json with
`{"size": 224, "crop_size": 224, "resample": 2, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}`
and config.json with `{"model_type": "slip", "image_size": 224, "patch_size": 16, "vision_heads": 12, "text_heads": 8}`:
vision_heads is 12 for the small and the base model and 16 for the large one. No check can find a wrong number of heads.

References:
    | SLIP: Self-supervision meets Language-Image Pre-training (Mu et al., 2021)
    | https://arxiv.org/abs/2112.12750
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, ObvertError
from obvert.models.parts.dual import Dual, agree
from obvert.models.parts.folder import opening, read_preprocess, read_tokenizer
from obvert.models.parts.slip_net import Slip
from obvert.models.parts.towers import CausalText, VisionTower
from obvert.models.parts.transformer import Block, packed

PATCHES = {768: 1, 1024: 2}
"""Pseudo-patches of OVI by width of the image tower, as published for ViT-B/16 and ViT-L/16; 1 for all others."""
SIZES = ("image_size", "patch_size", "vision_heads", "text_heads")
WEIGHTS = "model.safetensors"
CONVERT = "convert outside obvert with torch.load and weights_only=True, then safetensors' save_file, as obvert.models.slip tells"


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Dual:
    """Load a SLIP model from a local folder.

    Args:
        folder: with config.json, model.safetensors, CLIP's tokenizer files and preprocessor_config.json.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to, after the fast paths were checked in fp32.

    Returns:
        The dual encoder.

    Raises:
        ObvertError: when a file, a size or a tensor is missing, or a fast path does not reproduce the slow one.
    """
    model = read_slip(folder)
    if not any(all((folder / file).exists() for file in files) for files in (["tokenizer.json"], ["vocab.json", "merges.txt"])):
        raise ObvertError(f"need CLIP's tokenizer.json, or vocab.json and merges.txt, in {folder}, got neither")
    tokenizer = read_tokenizer(folder, "CLIPTokenizer")
    text, vision = text_tower(model, tokenizer), vision_tower(model)
    _check(model, text, vision)
    model.to(device, dtype)
    text, vision = text_tower(model, tokenizer), vision_tower(model)
    context = len(text.positions)

    def texts_to_features(texts: Sequence[str]) -> Tensor:
        ids = tokenizer(list(texts), padding=True, truncation=True, max_length=context, return_tensors="pt")
        return model.encode_text(ids["input_ids"].to(device))

    return Dual(
        card=card,
        device=device,
        dtype=dtype,
        dimension=model.text_projection.shape[1],
        width=text.embedding.shape[1],
        default_patches=PATCHES.get(len(vision.token), 1),
        preprocess=replace(read_preprocess(folder, model.side), round_crop=True),  # SLIP crops with torchvision
        pixels_to_features=lambda pixels: vision(vision.patchify(pixels)),
        texts_to_features=texts_to_features,
        tokens_map=text.from_tokens,
        patches_map=vision.from_patches,
        heads=(model.image_projection.T, model.text_projection.T),
        parameters=lambda: dict(model.state_dict()),
    )


def read_slip(folder: Path) -> Slip:
    """The network in fp32, eval mode, frozen; ObvertError where a size or a tensor is missing or does not fit."""
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    if lacking := [size for size in SIZES if not isinstance(config.get(size), int) or config[size] < 1]:
        raise ObvertError(f"need {', '.join(SIZES)} as positive integers in {folder}/config.json, got no {', '.join(lacking)}")
    if not (folder / WEIGHTS).exists():
        came = ", ".join(sorted(p.name for p in folder.iterdir() if p.suffix in (".pt", ".pth", ".bin", ".ckpt", ".safetensors")))
        raise ObvertError(f"need {WEIGHTS} in {folder}, got {came or 'no weights'}; {CONVERT}")
    try:
        weights = {name.removeprefix("module."): w.float() for name, w in load_file(folder / WEIGHTS).items()}
        weights = {name: w for name, w in weights.items() if not name.startswith("image_mlp.")}
        model = Slip(weights, config)
        lacking = sorted(model.state_dict().keys() - weights.keys())
    except KeyError as error:
        lacking = [str(error.args[0])]
    except Exception as error:
        raise ObvertError(f"need SLIP's weights in {folder}/{WEIGHTS}, got {' '.join(str(error).split())[:200]}") from error
    if lacking:
        raise ObvertError(f"need SLIP's tensors in {folder}/{WEIGHTS}, got none named {', '.join(lacking[:3])}; {CONVERT}")
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split()[:40])
        raise ObvertError(f"need weights of the sizes in config.json in {folder}/{WEIGHTS}, got {reason}") from error
    return model.requires_grad_(False).eval()


def text_tower(model: Slip, tokenizer: Any) -> CausalText:
    """The text tower over the model's own weights."""
    prefix, end = opening(tokenizer)
    if end >= len(model.token_embedding.weight):
        raise ObvertError(f"need a tokenizer of {len(model.token_embedding.weight)} tokens, got one whose end token is {end}")
    return CausalText(
        embedding=model.token_embedding.weight,
        positions=model.positional_embedding,
        blocks=[_text_block(layer) for layer in model.transformer.resblocks],
        norm=model.ln_final,
        project=lambda x: x @ model.text_projection,
        prefix=prefix,
        end=end,
    )


def vision_tower(model: Slip) -> VisionTower:
    """The image tower over the model's own weights."""
    tower = model.visual
    return VisionTower(
        patchify=tower.patchify,
        token=tower.cls_token[0, 0],
        positions=tower.pos_embed[0],
        norm_in=torch.nn.Identity(),
        blocks=[_picture_block(layer) for layer in tower.blocks],
        norm_out=tower.norm,
        project=lambda x: x @ model.image_projection,
    )


def _text_block(layer: Any) -> Block:
    query, key, value = packed(layer.attn.in_proj_weight, layer.attn.in_proj_bias)
    return Block(
        norm1=layer.ln_1,
        query=query,
        key=key,
        value=value,
        out=layer.attn.out_proj,
        norm2=layer.ln_2,
        mlp=layer.mlp,
        heads=layer.attn.num_heads,
    )


def _picture_block(layer: Any) -> Block:
    query, key, value = packed(layer.attn.qkv.weight, layer.attn.qkv.bias)
    return Block(
        norm1=layer.norm1,
        query=query,
        key=key,
        value=value,
        out=layer.attn.proj,
        norm2=layer.norm2,
        mlp=layer.mlp,
        heads=layer.attn.heads,
    )


@torch.no_grad()
def _check(model: Slip, text: CausalText, vision: VisionTower) -> None:
    """The fast paths against the slow ones, on a padded sentence and on a noise picture."""
    words = [i for i in range(len(text.embedding)) if i != text.end][-2:]
    ids = [*text.prefix, *words, text.end]
    slow = model.encode_text(torch.tensor([ids + [0] * (len(text.positions) - len(ids))]))
    agree(text.from_tokens(2)(text.embedding[words][None]), slow, "text")
    pixels = torch.randn(1, 3, model.side, model.side, generator=torch.Generator().manual_seed(0))
    agree(vision(vision.patchify(pixels)), model.encode_image(pixels), "image")
