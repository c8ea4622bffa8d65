"""Qwen2.5-VL in transformers' Qwen2_5_VLForConditionalGeneration: patches in windows, positions in rows and columns.

The one size of pictures is a square of four attention windows a side, 448 x 448 as a rule; `parts.qwen_vl` tells the rest.

References:
    | Qwen2.5-VL Technical Report (Bai et al., 2025)
    | https://arxiv.org/abs/2502.13923
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from obvert.core import Card, Reader
from obvert.models.parts.qwen_vl import TURN, load_qwen

TEMPLATE = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" + TURN
LAYER = r".*visual\.blocks\.\d+\.mlp\.down_proj"


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a Qwen2.5-VL from a local folder.

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
    return load_qwen("Qwen2_5_VLForConditionalGeneration", TEMPLATE, LAYER, edge, folder, card, device, dtype)


def edge(vision: Any) -> int:
    """Four attention windows a side, in pixels."""
    return 4 * vision.window_size
