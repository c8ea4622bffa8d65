"""Pictures: what Pillow reads in, PNG out."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from torch import Tensor

from obvert.io import SUFFIXES, read_images
from obvert.media import Medium, Takes

SUFFIX = ".png"

__all__ = ["SUFFIX", "SUFFIXES", "encode", "read", "still"]


def read(path: Path, model: Takes) -> Medium:
    """A picture, as `read_images` reads it; of an animation, the first frame. PictureError when it cannot be read."""
    return Medium(kind="picture", data=read_images(path)[0])


def encode(medium: Medium) -> bytes:
    """A PNG file."""
    from PIL import Image

    page = BytesIO()
    Image.fromarray(pixels(medium.data)).save(page, "png")
    return page.getvalue()


def still(medium: Medium) -> Tensor:
    """(3, H, W) itself."""
    return medium.data


def pixels(picture: Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1], clipped -> (H, W, 3) uint8."""
    found: np.ndarray = (picture.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return found
