"""One tiny model of every family, and the straightforward way through it: whole sentences and pictures, others' code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tiny
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Slow:
    """A model in the classes it comes from, fp32."""

    name: str
    """What `obvert.load` is asked for."""
    text: Callable[[Tensor], Tensor]
    """(B, R, width) pseudo-tokens -> (B, d), through the whole padded sentence."""
    image: Callable[[Tensor], Tensor]
    """(B, P, width) pseudo-patches -> (B, d), through the whole picture."""


def of_transformers(folder: Path, class_name: str, prefix: list[int], end: int, context: int) -> Slow:
    import transformers

    model = getattr(transformers, class_name).from_pretrained(folder).eval().requires_grad_(False)
    words, picture = model.text_model.embeddings.token_embedding, model.vision_model.embeddings.patch_embedding

    def text(v: Tensor) -> Tensor:
        ids = [*prefix, *[7] * v.shape[1], end]
        ids += [0] * (context - len(ids))
        return tiny.slow_text(words, lambda ids: model.get_text_features(ids).pooler_output, ids, len(prefix), v)

    def image(w: Tensor) -> Tensor:
        if class_name == "Siglip2Model":
            return tiny.slow_square(model, 4, w)
        return tiny.slow_image(picture, lambda pixels: model.get_image_features(pixels).pooler_output, w)

    return Slow(name=str(folder), text=text, image=image)


def clip(folder: Path) -> Slow:
    ids = tiny.tokenizer()("a photo of")["input_ids"]
    return of_transformers(tiny.write_clip(folder), "CLIPModel", ids[:-1], ids[-1], 32)


def siglip(folder: Path) -> Slow:
    ids = tiny.tokenizer()("a photo of")["input_ids"]
    return of_transformers(tiny.write_siglip(folder), "SiglipModel", ids[1:-1], ids[-1], 64)


def siglip2_fixed(folder: Path) -> Slow:
    return of_transformers(tiny.write_siglip2_fixed(folder), "SiglipModel", tiny.GEMMA_PREFIX, 1, 64)


def siglip2(folder: Path) -> Slow:
    return of_transformers(tiny.write_siglip2(folder), "Siglip2Model", tiny.GEMMA_PREFIX, 1, 64)


def own(name: str, model: Any, picture: torch.nn.Module, prefix: list[int], end: int, context: int) -> Slow:
    def text(v: Tensor) -> Tensor:
        ids = [*prefix, *[7] * v.shape[1], end]
        return tiny.slow_text(model.token_embedding, model.encode_text, ids + [0] * (context - len(ids)), len(prefix), v)

    return Slow(name=name, text=text, image=lambda w: tiny.slow_image(picture, model.encode_image, w))


def open_clip(folder: Path) -> Slow:
    import test_open_clip as family

    model = family.open_clip.create_model(f"local-dir:{family.write(folder)}").eval().requires_grad_(False)
    prefix = [family.SOT, *family.PREFIX]
    return own(f"open_clip:{folder}", model, model.visual.conv1, prefix, family.END, family.CONTEXT)


def slip(folder: Path) -> Slow:
    import slip_reference as family

    model, ids = family.reference(), family.sentence("a photo of")
    end = family.WORDS[family.EOT]
    return own(str(family.write(folder)), model, model.visual.patch_embed.proj, ids[: ids.index(end)], end, family.CONTEXT)


FAMILIES: dict[str, Callable[[Path], Slow]] = {
    "clip": clip,
    "open-clip": open_clip,
    "siglip": siglip,
    "siglip of SigLIP 2": siglip2_fixed,
    "siglip2": siglip2,
    "slip": slip,
}
"""Each begins with the name of its family."""
