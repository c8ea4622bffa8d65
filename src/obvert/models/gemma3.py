"""Gemma 3 with pictures in transformers' Gemma3ForConditionalGeneration: SigLIP's tower, its patches pooled.

    p(answer | picture, question) = LM([template | projector(pool(tower(pixels))) | question], answer)

The tokens of a picture, 256 as a rule, see each other in both directions. Crops of long pictures ("pan and scan") are off,
as they are unless a user asks for them. An answer ends with <end_of_turn>, as a turn of the chat does.

References:
    | Gemma 3 Technical Report (Gemma Team, 2025)
    | https://arxiv.org/abs/2503.19786
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from obvert.core import Card, Reader
from obvert.models.parts.folder import read_exact, read_model
from obvert.models.parts.matched import matched, unlike
from obvert.models.parts.vision_language import Chat, reader

TEMPLATE = "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m.role }}\n{% for c in m.content %}{% if c.type == 'image' %}<start_of_image>{% else %}{{ c.text | trim }}{% endif %}{% endfor %}<end_of_turn>\n{% endfor %}<start_of_turn>model\n"  # noqa: E501
LAYERS = (r".*vision_tower.*patch_embedding", r".*vision_tower.*layers\.\d+\.mlp\.fc2")
END = "<end_of_turn>"


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a Gemma 3 with an image tower from a local folder.

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
    network = read_model("Gemma3ForConditionalGeneration", folder)
    chat = Chat.read(folder, TEMPLATE)
    config = network.config
    size = config.vision_config.image_size
    front = read_exact(folder, (size, size), {"resample": 2, "image_mean": (0.5,) * 3, "image_std": (0.5,) * 3})
    names = ("boi_token_index", "image_token_index", "eoi_token_index")
    start, token, end = (chat.token(getattr(config, name), name) for name in names)

    def given(x: Tensor, ids: Tensor, before: int) -> dict[str, Tensor]:
        return {"pixel_values": x, "token_type_ids": (ids == config.image_token_index).long()}

    return reader(
        card=card,
        network=network.to(device, dtype),
        chat=chat,
        front=matched(front, folder, card.name, {"do_pan_and_scan": False}, other=unlike(front.size)),
        picture=(start, f"\n\n{start}{token * config.mm_tokens_per_image}{end}\n\n"),
        given=given,
        layers=LAYERS,
        end=chat.id(END),
    )
