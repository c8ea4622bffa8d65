"""A model's preprocessing is that of its folder, or the model is refused.

Preprocessing for searches is our own, for that of transformers passes no gradients. Here both see the same random pictures:

    levels 0..255 after resizing, cutting and ordering:  equal
    values in [0, 1] after rescaling, and normalised ones:  equal to 1e-5
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.models.parts.reader import Front

TOLERANCE = 1e-5
F = TypeVar("F", bound=Front)


def matched(front: F, folder: Path, name: str, options: Mapping[str, Any] | None = None, any_size: bool = False) -> F:
    """The preprocessing, when it does what the folder's own does.

    Args:
        front: the preprocessing.
        folder: of the model.
        name: of the model, for the error.
        options: with which the family's processor calls its image processor.
        any_size: whether both resize pictures of any size to `front.size`, rather than only ours.

    Returns:
        The preprocessing.

    Raises:
        ObvertError: when the folder has no image processor, or it differs; the step that differs is named.
    """
    processor, options = _processor(folder), dict(options or {})
    high, wide = front.size
    for size in ((high, wide), (high * 3 // 2, wide * 3 // 4))[: 1 + any_size]:
        levels = torch.randint(0, 256, (3, *size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        ours = front([levels / 255])[0]
        plain = front.undo(ours)
        steps: dict[str, tuple[Tensor, float, dict[str, bool]]] = {
            "": ((plain * 255).round(), 0, {"do_rescale": False, "do_normalize": False}),
            "rescaling": (plain, TOLERANCE, {"do_normalize": False}),
            "normalisation": (ours, TOLERANCE, {}),
        }
        for step, (mine, tolerance, settings) in steps.items():
            theirs = _processed(processor, levels, {**options, **settings})
            if theirs.numel() != mine.numel() or (theirs.reshape(mine.shape) - mine).abs().max() > tolerance:
                wrong, at = step or _which(mine, theirs), f"a picture of {size[0]}x{size[1]}"
                raise ObvertError(f"need the folder's own preprocessing of {name} to equal ours, got another {wrong} of {at}")
    return front


def _which(mine: Tensor, theirs: Tensor) -> str:
    """Which of the steps that only move and mix pixels differs."""
    if mine.numel() != theirs.numel():
        return f"tiling ({tuple(mine.shape)}, not {tuple(theirs.shape)})"
    same = torch.equal(mine.flatten().sort().values, theirs.flatten().sort().values)
    return "order of tiles or patches" if same else "resizing"


def _processor(folder: Path) -> Any:
    """The folder's image processor, of transformers, with Pillow."""
    from transformers import AutoImageProcessor

    try:
        return AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
    except Exception as error:
        raise ObvertError(f"need an image processor in {folder}, got: {str(error).strip().splitlines()[0]}") from error


def _processed(processor: Any, levels: Tensor, settings: Mapping[str, Any]) -> Tensor:
    """What a processor makes of 8-bit levels (3, H, W)."""
    from PIL import Image

    logging.getLogger("transformers").setLevel(logging.ERROR)
    image = Image.fromarray(levels.permute(1, 2, 0).numpy())
    made = processor(images=[image], return_tensors="pt", **settings)["pixel_values"]
    return torch.as_tensor(made).float()
