"""OpenCLIP's plain CLIP: a vision transformer read at its class token and a causal text tower read at its end token.

References:
    | Reproducible Scaling Laws for Contrastive Language-Image Learning (Cherti et al., 2023)
    | https://arxiv.org/abs/2212.07143
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from obvert.core import Card, ObvertError
from obvert.hub import from_hub, weights_hash
from obvert.models.parts.dual import Dual, agree
from obvert.models.parts.preprocess import CLIP_MEAN, CLIP_STD, Preprocess
from obvert.models.parts.towers import CausalText, VisionTower
from obvert.models.parts.transformer import Apply, Block, packed
from obvert.models.parts.tuning import Head, TunedParts

PATCHES = {(14, 1024): 2}
"""Pseudo-patches of OVI by patch size and width, as published for ViT-L/14; 1 for all others."""
CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
"""Names a weight file goes by, the usual one first. Pickles are never loaded."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What open_clip needs to build a model."""

    folder: Path
    config: dict[str, Any]
    """model_cfg in open_clip's words."""
    preprocess: dict[str, Any] = field(default_factory=dict)
    """preprocess_cfg in open_clip's words."""
    revision: str = ""


def load(name: str, device: torch.device, dtype: torch.dtype) -> Dual:
    """Load an open_clip model.

    Args:
        name: "NAME/TAG" as open_clip lists them, or a folder with open_clip_config.json and open_clip_model.safetensors.
        device: where it runs.
        dtype: what its weights are cast to, after the fast paths were checked in fp32.

    Returns:
        The dual encoder.

    Raises:
        ObvertError: when the extra or a file is missing, a part is not supported, or a fast path does not reproduce the model.
    """
    try:
        import open_clip
    except ImportError as error:
        raise ObvertError("open_clip: models need the extra: pip install 'obvert[openclip]'") from error
    source = _local(Path(name).expanduser()) if Path(name).expanduser().is_dir() else _tagged(open_clip, name)
    model = _read(open_clip, source)
    texts = source.config["text_cfg"]
    tokenizer = open_clip.SimpleTokenizer(context_length=model.context_length, **(texts.get("tokenizer_kwargs") or {}))
    preprocess = read_preprocess(source.preprocess, model.visual.image_size)
    _check(model, tokenizer, text_tower(model, tokenizer), vision_tower(model))
    model.to(device, dtype)
    text, vision = text_tower(model, tokenizer), vision_tower(model)

    def encode(network: Any, texts: Sequence[str]) -> Tensor:
        return network.encode_text(tokenizer(list(texts)).to(device))

    def see(network: Any, images: Sequence[Tensor]) -> Tensor:
        tower = vision_tower(network)
        return tower(tower.patchify(preprocess(images).to(device, dtype)))

    linear = isinstance(model.text_projection, nn.Module)

    return Dual(
        card=Card(name=f"open_clip:{name}", family="open-clip", revision=source.revision, sha256=weights_hash(source.folder)),
        device=device,
        dtype=dtype,
        dimension=model.visual.output_dim,
        width=text.embedding.shape[1],
        default_patches=PATCHES.get((model.visual.patch_size[0], model.visual.conv1.out_channels), 1),
        preprocess=preprocess,
        pixels_to_features=lambda pixels: vision(vision.patchify(pixels)),
        texts_to_features=lambda texts: encode(model, texts),
        tokens_map=text.from_tokens,
        patches_map=vision.from_patches,
        heads=_heads(model),
        parameters=lambda: dict(model.state_dict()),
        tuned_parts=TunedParts(
            network=model,
            pictures="visual",
            words="transformer",
            head=Head(module="text_projection") if linear else Head(tensor="text_projection", rows=False),
            picture_head=None if model.visual.proj is None else Head(module="visual", tensor="proj", rows=False),
            encode=encode,
            see=see,
            write=lambda network, folder: _write(network, folder, source),
        ),
    )


def text_tower(model: Any, tokenizer: Any) -> CausalText:
    """The text tower over the model's own weights."""
    return CausalText(
        embedding=model.token_embedding.weight,
        positions=model.positional_embedding,
        blocks=[_block(layer) for layer in model.transformer.resblocks],
        norm=model.ln_final,
        project=_projection(model.text_projection),
        prefix=[tokenizer.sot_token_id, *tokenizer.encode("a photo of")],
        end=tokenizer.eot_token_id,
    )


def vision_tower(model: Any) -> VisionTower:
    """The image tower over the model's own weights."""
    tower = model.visual
    return VisionTower(
        patchify=lambda pixels: tower.conv1(pixels).flatten(2).transpose(1, 2),
        token=tower.class_embedding,
        positions=tower.positional_embedding,
        norm_in=tower.ln_pre,
        blocks=[_block(layer) for layer in tower.transformer.resblocks],
        norm_out=tower.ln_post,
        project=_projection(tower.proj),
    )


def read_preprocess(config: dict[str, Any], size: int | tuple[int, int]) -> Preprocess:
    """Read open_clip's preprocess_cfg; the size is that of the model's image tower.

    Args:
        config: preprocess_cfg; what it leaves out is CLIP's.
        size: of the pictures the model takes.

    Returns:
        The preprocessing.

    Raises:
        ObvertError: when it asks for what is not supported.
    """
    height, width = (size, size) if isinstance(size, int) else size
    get = {key: value for key, value in config.items() if value is not None}.get
    mode = get("resize_mode", "shortest")
    if mode not in ("shortest", "squash") or (mode == "shortest" and height != width):
        raise ObvertError(
            f"open_clip pictures of {height}x{width} with resize_mode {mode!r} are not supported; squash or a square is"
        )
    return Preprocess(
        resize=height if mode == "shortest" else (height, width),
        crop=(height, width) if mode == "shortest" else None,
        resample="bilinear" if get("interpolation") == "bilinear" else "bicubic",
        mean=tuple(get("mean", CLIP_MEAN)),
        std=tuple(get("std", CLIP_STD)),
        round_crop=True,
    )


def _local(folder: Path) -> Source:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text())
        return Source(folder=folder, config=config["model_cfg"], preprocess=config.get("preprocess_cfg") or {})
    except (OSError, ValueError, KeyError) as error:
        raise ObvertError(f"need {CONFIG} with a model_cfg in {folder}, got {type(error).__name__}: {error}") from error


def _tagged(open_clip: Any, name: str) -> Source:
    """A pretrained model that open_clip lists, from the local cache or its hub."""
    model, _, tag = name.partition("/")
    about, config = open_clip.get_pretrained_cfg(model, tag), open_clip.get_model_config(model)
    if not about or not config:
        known = [f"{m}/{t}" for m, t in open_clip.list_pretrained()]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0)
        raise ObvertError(f"unknown open_clip model {name!r}, which is no folder either; the nearest are {', '.join(near)}")
    if about.get("quick_gelu", False) != config.get("quick_gelu", False):
        twins = (model + "-quickgelu", model.removesuffix("-quickgelu"))
        raise ObvertError(f"{name} was trained with the other GELU; say {twins[model.endswith('-quickgelu')]}/{tag}")
    _refuse(config)
    repo, _, file = about.get("hf_hub", "").rpartition("/")
    if not repo:
        raise ObvertError(f"open_clip:{name} is not published as safetensors; convert it and give its folder")
    try:
        located = from_hub(repo, [f"{Path(file).stem}.safetensors"] if file else list(WEIGHTS[:2]))
    except ObvertError as error:
        raise ObvertError(f"open_clip:{name}: {error}, or open_clip:FOLDER") from error
    return Source(folder=located.folder, config=config, preprocess=about, revision=located.revision)


def _read(open_clip: Any, source: Source) -> Any:
    """The model in fp32, eval mode, frozen."""
    _refuse(source.config)
    files = [source.folder / file for file in WEIGHTS if (source.folder / file).exists()] or sorted(
        source.folder.glob("*.safetensors")
    )
    if not files:
        raise ObvertError(f"need {WEIGHTS[0]} in {source.folder}, got none; pickles are not loaded")
    try:
        model = open_clip.model.CLIP(**{key: value for key, value in source.config.items() if key != "custom_text"})
        open_clip.load_checkpoint(model, str(files[0]))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ObvertError(f"need an open_clip CLIP in {files[0]}, got {type(error).__name__}: {reason}") from error
    for tower in (model, model.visual):
        attention = tower.transformer.resblocks[0].attn
        if not isinstance(attention, nn.MultiheadAttention):
            raise ObvertError(f"open_clip blocks with {type(attention).__name__} of its own are not supported; plain ones are")
    return model.requires_grad_(False).eval()


def _write(model: Any, folder: Path, source: Source) -> None:
    """A folder that open_clip and `load` take; the preprocessing in open_clip's words, without where it came from."""
    from safetensors.torch import save_file

    told = {key: source.preprocess[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in source.preprocess}
    save_file({name: w.detach().cpu().contiguous() for name, w in model.state_dict().items()}, folder / WEIGHTS[0])
    (folder / CONFIG).write_text(json.dumps({"model_cfg": source.config, "preprocess_cfg": told}, indent=1))


def _refuse(config: dict[str, Any]) -> None:
    """Say which part of a model_cfg is not supported."""
    text, vision = config.get("text_cfg", {}), config.get("vision_cfg", {})
    parts = {
        "a custom text tower (custom_text)": config.get("custom_text"),
        "a captioner (multimodal_cfg)": config.get("multimodal_cfg"),
        "a text tower of transformers (hf_model_name)": text.get("hf_model_name"),
        "a tokenizer of transformers (hf_tokenizer_name)": text.get("hf_tokenizer_name"),
        "text that is not causal (no_causal_mask)": text.get("no_causal_mask"),
        "text not read at its end token (pool_type)": text.get("pool_type", "argmax") not in ("argmax", "eos"),
        "an image tower of timm (timm_model_name)": vision.get("timm_model_name"),
        "a ResNet image tower (layers)": isinstance(vision.get("layers"), list | tuple),
        "pictures not read at the class token (pool_type)": vision.get("pool_type", "tok") != "tok",
        "attention pooling of pictures (attentional_pool)": vision.get("attentional_pool"),
        "an image tower that returns tokens (output_tokens)": vision.get("output_tokens"),
    }
    if found := [part for part, there in parts.items() if there]:
        raise ObvertError(f"open_clip models with {found[0]} are not supported; CLIP with a vision transformer is")


def _block(layer: Any) -> Block:
    attention = layer.attn
    query, key, value = packed(attention.in_proj_weight, attention.in_proj_bias)
    return Block(
        norm1=layer.ln_1,
        query=query,
        key=key,
        value=value,
        out=nn.Sequential(attention.out_proj, layer.ls_1),
        norm2=layer.ln_2,
        mlp=nn.Sequential(layer.mlp, layer.ls_2),
        heads=attention.num_heads,
    )


def _projection(last: Any) -> Apply:
    """The last layer of a tower: a matrix (width, d), a linear layer, or nothing."""
    if last is None:
        return nn.Identity()
    return last if isinstance(last, nn.Module) else lambda x: x @ last


def _heads(model: Any) -> tuple[Tensor, Tensor] | None:
    """Image (d, d_vision) and text (d, d_text), where both towers end in a matrix."""
    last = model.text_projection
    text = last.weight.T if isinstance(last, nn.Linear) and last.bias is None else last
    if not isinstance(text, Tensor) or model.visual.proj is None:
        return None
    return model.visual.proj.detach().T, text.detach().T


@torch.no_grad()
def _check(model: Any, tokenizer: Any, text: CausalText, vision: VisionTower) -> None:
    """The fast paths against the model's own code, on a sentence and on a noise picture."""
    words = tokenizer.encode("two dogs")
    slow = model.encode_text(tokenizer(["a photo of two dogs"]))
    agree(text.from_tokens(len(words))(text.embedding[words][None]), slow, "text")
    pixels = torch.randn(1, 3, *model.visual.image_size, generator=torch.Generator().manual_seed(0))
    agree(vision(vision.patchify(pixels)), model.encode_image(pixels), "image")
