"""Pictures to patches in their own aspect ratio, equal to transformers' Siglip2ImageProcessor (PIL backend), differentiable.

A picture is resized so that its sides are whole patches and their number is at most `most`; the patches along the raster,
each in the order row, column, channel, are padded with zeros to `most`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.models.parts.preprocess import Preprocess


@dataclass(frozen=True, kw_only=True)
class Patches:
    """Pictures cut into patches."""

    values: Tensor
    """(B, most, patch * patch * 3)."""
    mask: Tensor
    """(B, most) int32, 1 for a patch and 0 for padding."""
    shapes: Tensor
    """(B, 2) rows and columns; always on the CPU, where the position embeddings' sizes are read."""

    def to(self, device: torch.device, dtype: torch.dtype) -> Patches:
        """The same on a device, its values in a precision."""
        return replace(self, values=self.values.to(device, dtype), mask=self.mask.to(device))


@dataclass(frozen=True, kw_only=True)
class NaflexPreprocess:
    """Resize to whole patches, normalise, cut, pad."""

    pixels: Preprocess
    """Filter, mean and standard deviation; its size is replaced for each picture."""
    patch: int = 16
    """Edge of a patch, in pixels."""
    most: int = 256
    """Largest number of patches, and the length padded to."""

    def __call__(self, pictures: Sequence[Tensor]) -> Patches:
        """Preprocess pictures, differentiably.

        Args:
            pictures: B tensors (3, h, w), floats in [0, 1], of any sizes.

        Returns:
            Their patches.

        Raises:
            ValueError: no pictures, or one of another shape or type.
        """
        whole = [picture.ndim == 3 and picture.numel() > 0 for picture in pictures]
        shapes = [
            grid(picture.shape[1], picture.shape[2], self.patch, self.most) if fine else (1, 1)
            for picture, fine in zip(pictures, whole, strict=True)
        ]
        rows: list[Tensor] = [torch.empty(0)] * len(shapes)
        for rows_columns in dict.fromkeys(shapes) or [(1, 1)]:
            places = [i for i, shape in enumerate(shapes) if shape == rows_columns]
            size = (rows_columns[0] * self.patch, rows_columns[1] * self.patch)
            pixels = replace(self.pixels, resize=size, crop=None)([pictures[i] for i in places])
            cut = pixels.unflatten(3, (-1, self.patch)).unflatten(2, (-1, self.patch)).permute(0, 2, 4, 3, 5, 1)
            for i, patches in zip(places, cut.flatten(3).flatten(1, 2), strict=True):
                rows[i] = pad(patches, (0, 0, 0, self.most - len(patches)))
        count = torch.tensor([math.prod(shape) for shape in shapes])
        mask = (torch.arange(self.most) < count[:, None]).to(torch.int32)
        return Patches(values=torch.stack(rows), mask=mask, shapes=torch.tensor(shapes))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> NaflexPreprocess:
        """Read the content of a `preprocessor_config.json`; what it leaves out is the default of Siglip2ImageProcessor.

        Returns:
            The preprocessing.

        Raises:
            ValueError: a setting that this preprocessing does not have.
        """
        config = {key: value for key, value in config.get("image_processor", config).items() if value is not None}
        patch, most = config.get("patch_size", 16), config.get("max_num_patches", 256)
        if not config.get("do_resize", True):
            raise ValueError("need do_resize on, got do_resize=False")
        if not all(isinstance(n, int) and n > 0 for n in (patch, most)):
            raise ValueError(f"need patch_size and max_num_patches of at least 1, got {patch} and {most}")
        fixed = {"image_processor_type": "Siglip2ImageProcessor", "size": {"height": patch, "width": patch}}
        return cls(
            pixels=Preprocess.from_config({"resample": 2, **config, **fixed, "do_center_crop": False}), patch=patch, most=most
        )


def grid(height: int, width: int, patch: int, most: int) -> tuple[int, int]:
    """Rows and columns of patches of a picture: the largest scale, by bisection, at which they are at most `most`.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        patch: edge of a patch, in pixels.
        most: largest number of patches.

    Returns:
        (rows, columns), each at least 1.
    """

    def cells(scale: float) -> tuple[int, int]:
        return max(1, math.ceil(height * scale / patch)), max(1, math.ceil(width * scale / patch))

    low, high = 1e-6, 100.0
    while high - low >= 1e-5:
        middle = (low + high) / 2
        low, high = (middle, high) if math.prod(cells(middle)) <= most else (low, middle)
    return cells(low)
