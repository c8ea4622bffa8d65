"""Qwen3-VL in transformers' Qwen3VLForConditionalGeneration: several layers of the image tower feed the language model.

    p(answer | picture, question) = LM([template | merger(tower(patches)) | question], answer)

The processor keeps a picture's own size, up to whole squares of merged patches. Here all pictures have one size: the square
that the position embeddings were learned on, 768 x 768 as a rule, or as near to it as the folder's fewest and most pixels
let it be; others are first resized to it with the processor's filter. What the network takes of a picture is a row of
patches, each once for each frame of a video of two. Each square of merged patches is a token. An answer ends with
<|im_end|>, as a turn of the chat does.

References:
    | Qwen3-VL Technical Report (Bai et al., 2025)
    | https://arxiv.org/abs/2511.21631
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from obvert.core import Card, Reader
from obvert.models.parts.folder import read_model
from obvert.models.parts.matched import matched
from obvert.models.parts.merged import read_merged
from obvert.models.parts.vision_language import Chat, reader

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"  # noqa: E501
LAYERS = (r".*visual\.patch_embed\.proj", r".*visual\.blocks\.\d+\.mlp\.linear_fc2")
USUAL = {"size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280}}
"""Of the class of its image processor."""
END = "<|im_end|>"


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a Qwen3-VL from a local folder.

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
    network = read_model("Qwen3VLForConditionalGeneration", folder)
    chat = Chat.read(folder, TEMPLATE)
    config = network.config
    vision = config.vision_config
    front = read_merged(folder, vision, math.isqrt(vision.num_position_embeddings) * vision.patch_size, USUAL)
    rows, columns = front.grid
    token = chat.token(config.image_token_id, "image_token_id")

    def given(x: Tensor, ids: Tensor, before: int) -> dict[str, Tensor]:
        return {
            "pixel_values": x.flatten(0, 1),
            "image_grid_thw": torch.tensor([[1, rows, columns]] * len(x), device=x.device),
            "mm_token_type_ids": (ids == config.image_token_id).int(),
        }

    return reader(
        card=card,
        network=network.to(device, dtype),
        chat=chat,
        front=matched(front, folder, card.name, other=front.near),
        picture=(token, token * (rows * columns // vision.spatial_merge_size**2)),
        given=given,
        layers=LAYERS,
        end=chat.id(END),
    )
