"""Pictures in: files, PIL images and arrays become RGB tensors.

Everything ends as (3, H, W) float32 in [0, 1], upright (EXIF orientation applied), with transparency laid over white.
A picture that cannot be read raises a `PictureError` of one line, naming the picture.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    from obvert.core import Stored

    Picture: TypeAlias = Union[str, Path, bytes, Stored, Image.Image, np.ndarray, Tensor]  # noqa: UP007

MAX_PIXELS = 64_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


class PictureError(ValueError):
    """A picture that cannot be read."""


def read_images(pictures: Picture | Sequence[Picture]) -> list[Tensor]:
    """Read pictures of any kind as RGB tensors.

    Args:
        pictures: one picture or several. Each is a path, the bytes of a picture file, a PIL image, a numpy array (H, W),
            (H, W, 3) or (H, W, 4), a tensor (3, H, W), or a part of a file that is fetched now; arrays and tensors hold
            uint8, or floats in [0, 1]. Of an animation, the first frame.

    Returns:
        One (3, H, W) float32 tensor in [0, 1] for each picture, on the CPU unless it came as a tensor.

    Raises:
        PictureError: a picture is missing, broken, empty, larger than 64 megapixels, or an array of another shape or range.
    """
    import numpy as np
    from PIL import Image
    from torch import Tensor

    from obvert.core import Stored

    if isinstance(pictures, str | os.PathLike | bytes | Stored | Image.Image | np.ndarray | Tensor):
        pictures = [pictures]
    return [_read(picture, f"pictures[{i}]") for i, picture in enumerate(pictures)]


def read_features(path: str | Path) -> dict[str, Tensor]:
    """Read bare features from a safetensors file.

    Args:
        path: holds `image`, `text` or both, each (N, d).

    Returns:
        {"image" or "text": (N, d) float32 unit norm}.

    Raises:
        ObvertError: when it is no such file, or a feature is zero, NaN or infinite.
    """
    import torch
    from safetensors.torch import load_file
    from torch.nn.functional import normalize

    from obvert.core import ObvertError

    try:
        held = load_file(path)
    except Exception as error:  # a damaged header raises nearly anything
        raise ObvertError(f"need a safetensors file of features, got {path}: {_line(error)}") from error
    found = {name: held[name].float() for name in ("image", "text") if name in held}
    if not found:
        raise ObvertError(f"need `image` or `text` features in {path}, got {', '.join(held) or 'nothing'}")
    for name, features in found.items():
        if features.ndim != 2 or not len(features):
            raise ObvertError(f"need {name} features (N, d) in {path}, got {tuple(features.shape)}")
        sizes = torch.linalg.vector_norm(features, dim=1)
        if bad := (~(sizes.isfinite() & (sizes > 0))).nonzero().flatten().tolist():
            raise ObvertError(f"need finite features other than 0, got {len(bad)} rows of {name} in {path}, the first {bad[0]}")
    return {name: normalize(features, dim=1) for name, features in found.items()}


def _read(picture: Picture, name: str) -> Tensor:
    import numpy as np
    from PIL import Image
    from torch import Tensor

    from obvert.core import Stored

    if isinstance(picture, str | os.PathLike):
        return _open(Path(picture), str(Path(picture)))
    if isinstance(picture, bytes):
        return _open(BytesIO(picture), name)
    if isinstance(picture, Stored):
        return _fetch(picture)
    if isinstance(picture, Image.Image):
        return _decode(picture, name)
    if isinstance(picture, np.ndarray):
        return _from_array(picture, name)
    if isinstance(picture, Tensor):
        return _checked(picture, name, shapes="(3, H, W)")
    raise PictureError(f"{name}: need a path, bytes, PIL image, numpy array or tensor, got {type(picture).__name__}")


def _fetch(picture: Stored) -> Tensor:
    try:
        content = picture.fetch()
    except PictureError:
        raise
    except Exception as error:  # as decoders do, readers of damaged tables raise nearly anything
        raise PictureError(f"{picture}: cannot read ({_line(error)})") from error
    return _read(content, str(picture))


def _open(path: Path | BytesIO, name: str) -> Tensor:
    from PIL import Image, UnidentifiedImageError

    if isinstance(path, Path) and not path.is_file():
        raise PictureError(f"{name}: need a picture file, got {'a folder' if path.is_dir() else 'nothing there'}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd metadata; size is checked below
            with Image.open(path, formats=FORMATS) as image:
                return _decode(image, name)
    except UnidentifiedImageError as error:
        raise PictureError(f"{name}: need a picture ({', '.join(FORMATS)}), got something else") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name}: need at most {MAX_PIXELS:,} pixels, got far more") from error
    except PictureError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise PictureError(f"{name}: cannot open ({_line(error)})") from error


def _decode(image: Image.Image, name: str) -> Tensor:
    """Check the size in the header, only then decode, turn upright and convert to RGB."""
    import numpy as np
    from PIL import Image, ImageOps

    width, height = image.size
    if not 0 < width * height <= MAX_PIXELS:
        raise PictureError(f"{name}: need 1 to {MAX_PIXELS:,} pixels, got {width} x {height}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):
                return _from_array(np.array(image, dtype=np.float64) / 65535, name)
            if image.mode == "F":
                return _from_array(np.array(image), name)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return _from_array(np.array(image.convert("RGB")), name)
    except PictureError:
        raise
    except Exception as error:  # as above
        raise PictureError(f"{name}: cannot decode ({_line(error)})") from error


def _from_array(array: np.ndarray, name: str) -> Tensor:
    import numpy as np
    import torch

    shapes = "(H, W), (H, W, 3) or (H, W, 4)"
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (3, 4)):
        raise PictureError(f"{name}: need an array {shapes}, got {array.shape}")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise PictureError(f"{name}: need uint8 or floats in [0, 1], got {array.dtype}")
    native = np.array(array, dtype=np.uint8 if array.dtype == np.uint8 else np.float32)
    planes = torch.from_numpy(native).expand(3, *native.shape) if native.ndim == 2 else torch.from_numpy(native).movedim(-1, 0)
    x = _checked(planes[:3], name, shapes=shapes)
    if len(planes) == 4:
        alpha = _checked(planes[3:].expand(3, -1, -1), name, shapes=shapes)
        x = x * alpha + (1 - alpha)
    return x.contiguous()


def _checked(x: Tensor, name: str, *, shapes: str) -> Tensor:
    """Scale (3, H, W) to float32 in [0, 1], or say what is wrong with it."""
    import torch

    if x.ndim != 3 or x.shape[0] != 3:
        raise PictureError(f"{name}: need a tensor {shapes}, got {tuple(x.shape)}")
    if x.numel() == 0:
        raise PictureError(f"{name}: need at least one pixel, got {x.shape[2]} x {x.shape[1]}")
    if x.dtype == torch.uint8:
        return x.float() / 255
    if not x.is_floating_point():
        raise PictureError(f"{name}: need uint8 or floats in [0, 1], got {x.dtype}")
    low, high = (v.item() for v in x.detach().aminmax())
    if not 0 <= low <= high <= 1:  # a NaN anywhere makes both NaN
        raise PictureError(f"{name}: need values in [0, 1], got {low:g} to {high:g}")
    return x.float()


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
