"""Pictures to Qwen's patches: in the order in which an image tower merges them, square by square, each patch in T copies.

    (C, H, W) -> (H / mP, W / mP, m, m, C, T, P, P) -> (patches, C T P P)

Every picture is first resized to one square, so that all have the same patches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from obvert.core import ObvertError
from obvert.models.parts.folder import preprocessor_file, read_exact, read_settings
from obvert.models.parts.preprocess import CLIP_MEAN, CLIP_STD, Preprocess


@dataclass(frozen=True, kw_only=True)
class MergedPatches:
    """Resize, normalise and cut pictures."""

    pixels: Preprocess
    """To a size whose sides are whole squares of patches."""
    patch: int
    """P, edge of a patch in pixels."""
    merge: int
    """m, edge of a square in patches."""
    copies: int
    """T, frames of the video that a picture is taken for."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.pixels.size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.size[0] // self.patch, self.size[1] // self.patch

    @property
    def near(self) -> tuple[int, int]:
        """Another (H, W) to which this is the nearest one of whole squares."""
        quarter = self.patch * self.merge // 4
        return self.size[0] + quarter, self.size[1] - quarter

    @property
    def shape(self) -> tuple[int, ...]:
        """(patches, C T P P)."""
        return math.prod(self.grid), 3 * self.copies * self.patch**2

    def __call__(self, pictures: Sequence[Tensor]) -> Tensor:
        """Preprocess pictures, differentiably.

        Args:
            pictures: B tensors (3, h, w), floats in [0, 1], of any sizes.

        Returns:
            (B, patches, C T P P) in the precision of the pictures.
        """
        x, square = self.pixels(pictures), (-1, self.merge, self.patch)
        cut = x.unflatten(3, square).unflatten(2, square).permute(0, 2, 5, 3, 6, 1, 4, 7)
        return cut.unsqueeze(6).expand(*cut.shape[:6], self.copies, *cut.shape[6:]).reshape(len(x), *self.shape)

    def undo(self, features: Tensor) -> Tensor:
        """(..., patches, C T P P) -> the same without the normalisation."""
        return self.pixels.undo(features.unflatten(-1, (3, self.copies * self.patch, self.patch))).flatten(-3)

    def back(self, features: Tensor) -> Tensor:
        """(B, patches, C T P P) -> pictures (B, 3, H, W) in [0, 1]: the patches put together, the mean of their copies."""
        m, p, (rows, columns) = self.merge, self.patch, self.grid
        cut = self.undo(features).reshape(-1, rows // m, columns // m, m, m, 3, self.copies, p, p).mean(6)
        return cut.permute(0, 5, 1, 3, 6, 2, 4, 7).reshape(-1, 3, *self.size).clamp(0, 1)


def read_merged(folder: Path, vision: Any, wanted: int, usual: Mapping[str, Any]) -> MergedPatches:
    """The folder's preprocessing, for a square as near to a wanted one as the processor would leave it.

    Args:
        folder: where preprocessor_config.json lies.
        vision: configuration of the image tower.
        wanted: edge of the square, in pixels.
        usual: settings of the processor's class where the file tells none; `size` with its fewest and most pixels.

    Returns:
        The preprocessing.

    Raises:
        ObvertError: when the file is missing, or no square of whole patches has as many pixels as it asks for.
    """
    told = read_settings(folder)
    size = {**usual["size"], **told.get("size", {})}
    least, most = told.get("min_pixels", size["shortest_edge"]), told.get("max_pixels", size["longest_edge"])
    square = vision.patch_size * vision.spatial_merge_size
    low, high = math.ceil(math.sqrt(least) / square), math.floor(math.sqrt(most) / square)
    if not 1 <= max(low, 1) <= high:
        raise ObvertError(f"need room for a square of {square} pixels in {preprocessor_file(folder)}, got {least}..{most} pixels")
    edge = square * min(max(round(wanted / square), low, 1), high)
    return MergedPatches(
        pixels=read_exact(folder, (edge, edge), {"resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, **usual}),
        patch=vision.patch_size,
        merge=vision.spatial_merge_size,
        copies=vision.temporal_patch_size,
    )
