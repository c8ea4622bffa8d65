"""InternVL 3 and its kin in transformers' InternVLForConditionalGeneration: a picture in tiles and as a whole.

    p(answer | picture, question) = LM([template | projector(shuffle(tower(tiles, whole))) | question], answer)

The processor cuts a picture into at most `max_patches` tiles whose grid is nearest to its shape. Here all pictures have one
size: 2 x 2 tiles, 896 x 896 as a rule, or one tile where the folder allows fewer than four; others are first resized to it
with the processor's filter. An answer ends with <|im_end|>, as a turn of the chat does.

References:
    | InternVL3: Exploring Advanced Training and Test-Time Recipes for Open-Source Multimodal Models (Zhu et al., 2025)
    | https://arxiv.org/abs/2504.10479
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from obvert.core import Card, Reader
from obvert.models.parts.folder import read_exact, read_model, read_settings
from obvert.models.parts.matched import matched
from obvert.models.parts.preprocess import CLIP_MEAN, CLIP_STD
from obvert.models.parts.tiles import Tiles
from obvert.models.parts.vision_language import Chat, reader

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}{% if c.type == 'image' %}<IMG_CONTEXT>\n{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"  # noqa: E501
LAYERS = (r".*vision_tower.*patch_embeddings\.projection", r".*vision_tower.*mlp\.fc2")
END = "<|im_end|>"
AROUND = {"start": "<img>", "end": "</img>"}
"""Tokens around a picture, where the tokenizer names no others."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load an InternVL from a local folder.

    Args:
        folder: with config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The reader.

    Raises:
        ObvertError: when a file is missing or broken, or the preprocessing is another than ours.
    """
    network = read_model("InternVLForConditionalGeneration", folder)
    chat = Chat.read(folder, TEMPLATE)
    config = network.config
    (height, width), (high, wide) = config.vision_config.image_size, config.vision_config.patch_size
    pixels = read_exact(folder, (height, width), {"resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD})
    side = 2 if read_settings(folder).get("max_patches", 12) >= 4 else 1
    front = Tiles(pixels=pixels, size=(side * height, side * width), grid=(side, side) if side > 1 else None)
    tokens = int((height // high) * (width // wide) * config.downsample_ratio**2) * front.shape[0]
    token = chat.token(config.image_token_id, "image_token_id")
    start, end = (getattr(chat.tokenizer, f"{side}_image_token", usual) for side, usual in AROUND.items())

    def given(x: Tensor, ids: Tensor, before: int) -> dict[str, Tensor]:
        return {"pixel_values": x.flatten(0, 1)}

    return reader(
        card=card,
        network=network.to(device, dtype),
        chat=chat,
        front=matched(front, folder, card.name, {"crop_to_patches": True}),
        picture=(token, f"{start}{token * tokens}{end}"),
        given=given,
        layers=LAYERS,
        end=chat.id(END),
    )
