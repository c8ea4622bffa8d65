"""A model's preprocessing is that of its folder, or the model is refused.

Preprocessing for searches is our own, for that of transformers passes no gradients. Here both see the same random pictures:

    |ours - theirs| <= 1e-5 everywhere

One 8-bit level is far more, so all levels are the same ones. Where they differ, the first step that does is named:
resizing, tiling, the order of tiles or patches, rescaling, or normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.models.parts.reader import Front

TOLERANCE = 1e-5
F = TypeVar("F", bound=Front)


def matched(
    front: F, folder: Path, name: str, options: Mapping[str, Any] | None = None, other: tuple[int, int] | None = None
) -> F:
    """The preprocessing, when it does what the folder's own does.

    Args:
        front: the preprocessing.
        folder: of the model.
        name: of the model, for the error.
        options: with which the family's processor calls its image processor.
        other: (H, W) of a picture that the folder's own resizes to `front.size`, too; None where it takes each size its own way.

    Returns:
        The preprocessing.

    Raises:
        ObvertError: when the folder has no image processor, or it differs; the step that differs is named.
    """
    processor, options = _processor(folder), dict(options or {})
    sizes = [front.size, *([other] if other else [])]
    drawn = [torch.randint(0, 256, (3, *size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8) for size in sizes]
    for levels, mine in zip(drawn, front([levels / 255 for levels in drawn]), strict=True):
        if _differ(mine, _processed(processor, levels, options)):  # one level more is many times the tolerance
            step, (_, high, wide) = _step(front, processor, levels, mine, options), levels.shape
            got = f"another {step} of a picture of {high}x{wide}"
            raise ObvertError(f"need the folder's own preprocessing of {name} to equal ours, got {got}")
    return front


def unlike(size: tuple[int, int]) -> tuple[int, int]:
    """A size that is larger one way and smaller the other."""
    return size[0] * 3 // 2, size[1] * 3 // 4


def _step(front: Front, processor: Any, levels: Tensor, ours: Tensor, options: Mapping[str, Any]) -> str:
    """The first step at which ours and the processor differ."""
    plain = front.undo(ours)
    mine = (plain * 255).round()
    theirs = _processed(processor, levels, {**options, "do_rescale": False, "do_normalize": False})
    if theirs.numel() != mine.numel():
        return f"tiling ({tuple(mine.shape)}, not {tuple(theirs.shape)})"
    if not torch.equal(theirs.reshape(mine.shape), mine):
        same = torch.equal(mine.flatten().sort().values, theirs.flatten().sort().values)
        return "order of tiles or patches" if same else "resizing"
    return "rescaling" if _differ(plain, _processed(processor, levels, {**options, "do_normalize": False})) else "normalisation"


def _differ(mine: Tensor, theirs: Tensor) -> bool:
    return theirs.numel() != mine.numel() or bool((theirs.reshape(mine.shape) - mine).abs().max() > TOLERANCE)


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

    image = Image.fromarray(levels.permute(1, 2, 0).numpy())
    made = processor(images=[image], return_tensors="pt", **settings)["pixel_values"]
    return torch.as_tensor(made).float()
