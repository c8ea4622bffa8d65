"""Idefics3 in transformers' Idefics3ForConditionalGeneration: pictures split into tiles, before a Llama.

    p(answer | picture, question) = LM([template | connector(tower(tiles, whole)) | question], answer)

All pictures have one size, 1456 x 1456 in 4 x 4 tiles as a rule; `parts.split` tells how it is found. An answer ends with
<end_of_utterance>, as a turn of the chat does.

References:
    | Building and better understanding vision-language models: insights and future directions (Laurençon et al., 2024)
    | https://arxiv.org/abs/2408.12637
"""

from __future__ import annotations

from pathlib import Path

import torch

from obvert.core import Card, Reader
from obvert.models.parts.split import load_split

TEMPLATE = "<|begin_of_text|>{% for m in messages %}{{ m.role | capitalize }}:{% for c in m.content %}{% if c.type == 'image' %}<image>{% else %}{{ c.text }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}Assistant:"  # noqa: E501


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load an Idefics3 from a local folder.

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
    return load_split("Idefics3ForConditionalGeneration", TEMPLATE, folder, card, device, dtype)
