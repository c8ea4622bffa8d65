"""Pictures to pixel values, equal to the Hugging Face image processors (PIL backend), and differentiable.

Resizing is two dense matrices, one for each axis, in the order that Pillow takes and built as Pillow builds them:

    w[i, j] = kernel((j + 1/2 - (i + 1/2) * s) / max(s, 1)),    s = size_in / size_out

normalised over j and rounded to 22 bits; after each pass Pillow rounds to 8-bit levels. All of it is exact in float64, so
the output on 8-bit pictures is that of Pillow to the last bit. Backwards, rounding and clipping pass gradients unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import __version__ as pillow_version
from torch import Tensor

PRECISION = 2.0**22
"""Pillow keeps weights of 8-bit resampling as integers over this."""
RESAMPLES = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Filters in the order of their Pillow numbers."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def _bicubic(x: np.ndarray) -> np.ndarray:
    x, a = np.abs(x), -0.5
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


HAMMING = float(np.float32(0.54)), float(np.float32(0.46))
"""Pillow writes them in single precision."""
KERNELS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "lanczos": (3, lambda x: np.where((x >= -3) & (x < 3), np.sinc(x) * np.sinc(x / 3), 0)),
    "bilinear": (1, lambda x: np.clip(1 - np.abs(x), 0, None)),
    "bicubic": (2, _bicubic),
    "box": (0.5, lambda x: ((x > -0.5) & (x <= 0.5)).astype(float)),
    "hamming": (1, lambda x: np.where(np.abs(x) < 1, np.sinc(x) * (HAMMING[0] + HAMMING[1] * np.cos(np.pi * x)), 0)),
}
"""Half-width and kernel of each filter, in output pixels."""


@lru_cache(maxsize=64)
def weights(size_in: int, size_out: int, start: int, stop: int, resample: str) -> np.ndarray:
    """Rows start to stop of Pillow's resize matrix, (stop - start, size_in) float64."""
    s, pixel = size_in / size_out, np.arange(size_in)
    if resample == "nearest":
        steps = np.concatenate([[0.5 * s], np.full(size_out - 1, s)]).cumsum()[start:stop]  # summed up, as Pillow does
        return (pixel == np.floor(steps)[:, None]).astype(float)
    half, kernel = KERNELS[resample]
    stretch = max(s, 1.0)
    centre = (np.arange(start, stop)[:, None] + 0.5) * s
    first, last = (np.trunc(centre + side * half * stretch + 0.5) for side in (-1, 1))
    w = np.where((pixel >= first) & (pixel < last), kernel((pixel - centre + 0.5) * (1 / stretch)), 0)
    w /= w.cumsum(1)[:, -1:]
    return np.trunc(w * PRECISION + np.copysign(0.5, w)) / PRECISION


def rows_first(size_in: tuple[int, int], size_out: tuple[int, int]) -> bool:
    """Whether the installed Pillow resizes the height before the width; it rounds in between, so the order shows.

    Up to Pillow 12 never; from 13 on, if the height shrinks by more than twice as many pixels as the width does.

    Args:
        size_in: (height, width) before.
        size_out: (height, width) after.

    Returns:
        True for height first.
    """
    height, width = (before - after for before, after in zip(size_in, size_out, strict=True))
    return int(pillow_version.split(".")[0]) >= 13 and height > max(0, 2 * width)


def levels(x: Tensor) -> Tensor:
    """Round to 8-bit levels 0..255, half up; the gradient is that of the identity."""
    rounded = (x.detach() + 0.5).floor().clamp(0, 255)
    return rounded + (x - x.detach()) if x.requires_grad else rounded


@dataclass(frozen=True)
class _Span:
    """What one axis goes through: resize, keep start to stop, add zeros before and after."""

    size: int
    start: int
    stop: int
    before: int
    after: int

    @classmethod
    def plan(cls, size: int, crop: int, round_crop: bool) -> _Span:
        start = round((size - crop) / 2) if round_crop else (size - crop) // 2
        start, missing = max(start, 0), max(crop - size, 0)
        return cls(size, start, start + min(size, crop), (missing + 1) // 2, missing // 2)

    def along_last(self, x: Tensor, resample: str) -> Tensor:
        """Resize and cut the last axis of levels (..., n); work is in float64 wherever the device has it."""
        if x.shape[-1] == self.size:
            return x[..., self.start : self.stop]
        matrix = torch.from_numpy(weights(x.shape[-1], self.size, self.start, self.stop, resample))
        matrix = matrix.to(x.device, torch.float32 if x.device.type == "mps" else torch.float64)
        return levels(x.to(matrix.dtype) @ matrix.T)


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """Resize, crop and normalise pictures of any sizes into one batch."""

    resize: int | tuple[int, int] | None
    """Shortest edge, keeping the aspect ratio; or exactly (H, W); or no resize."""
    crop: tuple[int, int] | None
    """Centre crop (H, W), with zeros around a picture that is smaller; or no crop."""
    resample: str = "bicubic"
    """Filter, one of `RESAMPLES`."""
    mean: tuple[float, ...] = CLIP_MEAN
    """Subtracted, by channel."""
    std: tuple[float, ...] = CLIP_STD
    """Divided by, by channel."""
    round_crop: bool = False
    """Start the crop at half the rest rounded to even, as torchvision does, rather than rounded down."""

    def __post_init__(self) -> None:
        if self.crop is None and not isinstance(self.resize, tuple):
            raise ValueError(f"need a crop or an exact resize (H, W), got resize={self.resize} and no crop")
        if any(edge < 1 for given in (self.crop, self.resize) if given is not None for edge in np.atleast_1d(given)):
            raise ValueError(f"need sizes of at least 1, got resize={self.resize}, crop={self.crop}")
        if self.resample not in RESAMPLES:
            raise ValueError(f"need a resample in {', '.join(RESAMPLES)}, got {self.resample!r}")
        if not (len(self.mean) == len(self.std) == 3 and all(s > 0 for s in self.std)):
            raise ValueError(f"need mean and std > 0 for 3 channels, got mean={self.mean}, std={self.std}")

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the output."""
        if self.crop is None:
            assert isinstance(self.resize, tuple)
            return self.resize
        return self.crop

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, H, W) of the output."""
        return (3, *self.size)

    @property
    def plain(self) -> Preprocess:
        """The same without normalisation: values stay in [0, 1]."""
        return replace(self, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def __call__(self, pictures: Sequence[Tensor]) -> Tensor:
        """Preprocess pictures, differentiably.

        Args:
            pictures: B tensors (3, h, w), floats in [0, 1], of any sizes.

        Returns:
            (B, 3, H, W) in the precision of the pictures. A picture that is resized is rounded to 8-bit levels before and
            after, as it is in a file; one that already has its size is not.

        Raises:
            ValueError: no pictures, or one of another shape or type.
        """
        groups: dict[torch.Size, list[int]] = {}
        for i, picture in enumerate(pictures):
            if picture.ndim != 3 or len(picture) != 3 or not picture.numel() or not picture.is_floating_point():
                raise ValueError(f"need pictures (3, h, w) of floats, got {tuple(picture.shape)} {picture.dtype} at {i}")
            groups.setdefault(picture.shape, []).append(i)
        if not groups:
            raise ValueError("need at least one picture, got none")
        order = [i for group in groups.values() for i in group]
        fitted = torch.cat([self._fit(torch.stack([pictures[i] for i in group])) for group in groups.values()])
        return self.normalise(fitted[np.argsort(order)])

    def normalise(self, values: Tensor) -> Tensor:
        """Values (..., 3, h, w) in [0, 1] -> less their mean, over their deviation."""
        mean, std = (values.new_tensor(v).view(3, 1, 1) for v in (self.mean, self.std))
        return (values - mean) / std

    def undo(self, features: Tensor) -> Tensor:
        """Normalised (..., 3, h, w) -> the values they had before, which lie in [0, 1] if they come from a picture."""
        mean, std = (features.new_tensor(v).view(3, 1, 1) for v in (self.mean, self.std))
        return features * std + mean

    def back(self, features: Tensor) -> Tensor:
        """(B, 3, H, W) normalised -> pictures in [0, 1]."""
        return self.undo(features).clamp(0, 1)

    def _fit(self, x: Tensor) -> Tensor:
        """Resize and crop (B, 3, h, w), values kept in [0, 1]."""
        h, w, dtype = *x.shape[-2:], x.dtype
        resized = self._resized(h, w)
        high, wide = (_Span.plan(*sizes, self.round_crop) for sizes in zip(resized, self.crop or resized, strict=True))
        if resized != (h, w):
            x = levels(x.to(torch.promote_types(dtype, torch.float32)) * 255)
            if rows_first((h, w), resized):
                x = wide.along_last(high.along_last(x.mT, self.resample).mT, self.resample) / 255
            else:
                x = high.along_last(wide.along_last(x, self.resample).mT, self.resample).mT / 255
        else:
            x = x[..., high.start : high.stop, wide.start : wide.stop]
        return torch.nn.functional.pad(x, (wide.before, wide.after, high.before, high.after)).to(dtype)

    def _resized(self, h: int, w: int) -> tuple[int, int]:
        if not isinstance(self.resize, int):
            return self.resize or (h, w)
        long = int(self.resize * max(h, w) / min(h, w))
        return (long, self.resize) if w <= h else (self.resize, long)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocess:
        """Read the content of a `preprocessor_config.json`; what it leaves out is the default of CLIP, of SigLIP, or of BLIP.

        Returns:
            The preprocessing.

        Raises:
            ValueError: a setting that this preprocessing does not have.
        """
        config = config.get("image_processor", config)
        kind = str(config.get("image_processor_type", config.get("feature_extractor_type"))).lower()
        siglip, blip = "siglip" in kind, "blip" in kind
        edge, square = 384 if blip else 224, siglip or blip
        defaults = {"size": edge, "crop_size": 224, "do_center_crop": not square}
        get = {**defaults, **{key: value for key, value in config.items() if value is not None}}.get
        if get("do_pad") and (not blip or get("pad_size")):  # BLIP's pads to the largest of a batch, and all are of one size
            raise ValueError("need do_pad off, got do_pad=True")
        if not get("do_rescale", True) or abs(get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6:
            raise ValueError(
                f"need pixels rescaled by 1/255, got do_rescale={get('do_rescale', True)}, "
                f"rescale_factor={get('rescale_factor', 1 / 255)}"
            )
        if (number := get("resample", 3)) not in range(len(RESAMPLES)):
            raise ValueError(f"need a resample number in 0..{len(RESAMPLES) - 1}, got {number}")
        normalise = get("do_normalize", True)
        mean = get("image_mean", (0.5,) * 3 if siglip else CLIP_MEAN) if normalise else 0.0
        std = get("image_std", (0.5,) * 3 if siglip else CLIP_STD) if normalise else 1.0
        resize = _edges("size", get("size")) if get("do_resize", True) else None
        resize = (resize, resize) if square and isinstance(get("size"), int) and isinstance(resize, int) else resize
        crop = _edges("crop_size", get("crop_size")) if get("do_center_crop") else None
        return cls(
            resize=resize,
            crop=(crop, crop) if isinstance(crop, int) else crop,
            resample=RESAMPLES[int(number)],
            mean=tuple(mean) if isinstance(mean, Sequence) else (mean,) * 3,
            std=tuple(std) if isinstance(std, Sequence) else (std,) * 3,
        )


def _edges(name: str, size: Any) -> int | tuple[int, int]:
    """Read a size: an int or {"shortest_edge"} as int, {"height", "width"} as (H, W)."""
    given = {k: v for k, v in size.items() if v is not None} if isinstance(size, Mapping) else {"shortest_edge": size}
    if given.keys() == {"height", "width"}:
        return int(given["height"]), int(given["width"])
    if given.keys() == {"shortest_edge"} and isinstance(given["shortest_edge"], int):
        return given["shortest_edge"]
    raise ValueError(f"need {name} as an int, shortest_edge, or height and width, got {size}")
