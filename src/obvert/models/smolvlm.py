"""SmolVLM and SmolVLM2 in transformers' SmolVLMForConditionalGeneration: Idefics3 made small.

    p(answer | picture, question) = LM([template | connector(tower(tiles, whole)) | question], answer)

All pictures have one size, 2048 x 2048 in 4 x 4 tiles as a rule; `parts.split` tells how it is found. An answer ends with
<end_of_utterance>, as a turn of the chat does.

References:
    | SmolVLM: Redefining small and efficient multimodal models (Marafioti et al., 2025)
    | https://arxiv.org/abs/2504.05299
"""

from __future__ import annotations

from pathlib import Path

import torch

from obvert.core import Card, Reader
from obvert.models.parts.split import load_split

TEMPLATE = "<|im_start|>{% for m in messages %}{{ m.role | capitalize }}:{% for c in m.content %}{% if c.type == 'image' %}<image>{% else %}{{ c.text }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}Assistant:"  # noqa: E501


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a SmolVLM from a local folder.

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
    return load_split("SmolVLMForConditionalGeneration", TEMPLATE, folder, card, device, dtype)
