"""Qwen3-VL in transformers' Qwen3VLForConditionalGeneration: several layers of the image tower feed the language model.

The one size of pictures is the square that the position embeddings were learned on, 768 x 768 as a rule; `parts.qwen_vl` tells
the rest.

References:
    | Qwen3-VL Technical Report (Bai et al., 2025)
    | https://arxiv.org/abs/2511.21631
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from obvert.core import Card, Reader
from obvert.models.parts.qwen_vl import TURN, load_qwen

LAYER = r".*visual\.blocks\.\d+\.mlp\.linear_fc2"


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
    return load_qwen("Qwen3VLForConditionalGeneration", TURN, LAYER, edge, folder, card, device, dtype)


def edge(vision: Any) -> int:
    """The side that the position embeddings were learned on, in pixels."""
    return math.isqrt(vision.num_position_embeddings) * vision.patch_size
