"""What befalls a picture between the one who draws it and the one who looks for its watermark.

Each attack takes and gives one picture (3, H, W) in [0, 1] and a seed, the same seed the same picture. Strengths are those
of the tree-ring paper, at whose 512 pixels the blur's radius is 8. Between two people a picture is a file, so that `attack`
rounds to 8 bits, whatever the attack.

References:
    | Tree-Ring Watermarks: Fingerprints for Diffusion Images that are Invisible and Robust (Wen et al., 2023), section 4.3
    | https://arxiv.org/abs/2305.20030
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.registry import unknown

if TYPE_CHECKING:
    from PIL.Image import Image


def none(picture: Tensor, seed: int) -> Tensor:
    """Nothing at all."""
    return picture


def jpeg(picture: Tensor, seed: int) -> Tensor:
    """JPEG of quality 25."""
    from PIL import Image

    page = BytesIO()
    _image(picture).save(page, "jpeg", quality=25)
    return _picture(Image.open(page), picture)


def blur(picture: Tensor, seed: int) -> Tensor:
    """Gaussian blur, its deviation 8 pixels of 512, in proportion to the shorter side."""
    from PIL import ImageFilter

    return _picture(_image(picture).filter(ImageFilter.GaussianBlur(8 * min(picture.shape[1:]) / 512)), picture)


def noise(picture: Tensor, seed: int) -> Tensor:
    """Normal noise of deviation .1."""
    draw = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed))
    return (picture + 0.1 * draw.to(picture)).clamp(0, 1)


def crop(picture: Tensor, seed: int) -> Tensor:
    """75 % of the picture, cut out somewhere and scaled back: by the published area and aspect, .75, that is of its width."""
    from PIL.Image import Resampling

    height, width = picture.shape[1:]
    kept = round(0.75 * width)
    left = int(torch.randint(width - kept + 1, (), generator=torch.Generator().manual_seed(seed)))
    cut = _image(picture).crop((left, 0, left + kept, height))
    return _picture(cut.resize((width, height), Resampling.BILINEAR), picture)


def rotation(picture: Tensor, seed: int) -> Tensor:
    """75 degrees to the left around the middle; corners that come in are black."""
    return _picture(_image(picture).rotate(75), picture)


def brightness(picture: Tensor, seed: int) -> Tensor:
    """Brightness times a factor uniform in [0, 7], which is what the published jitter of 6 means: 1 - 6, or 0, to 1 + 6."""
    factor = 7 * torch.rand((), generator=torch.Generator().manual_seed(seed)).item()
    return (picture * factor).clamp(0, 1)


ATTACKS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "none": none,
    "jpeg": jpeg,
    "blur": blur,
    "noise": noise,
    "crop": crop,
    "rotation": rotation,
    "brightness": brightness,
}
"""Attacks by name."""


def attack(name: str, picture: Tensor, seed: int) -> Tensor:
    """Attack a picture and round it to 8 bits.

    Args:
        name: a key of `ATTACKS`.
        picture: (3, H, W) in [0, 1].
        seed: of what the attack draws.

    Returns:
        (3, H, W) multiples of 1 / 255.

    Raises:
        ObvertError: for an unknown attack, or what is no picture.
    """
    check([name])
    if picture.ndim != 3 or len(picture) != 3 or not bool(((picture >= 0) & (picture <= 1)).all()):
        raise ObvertError(f"need a picture (3, H, W) in [0, 1] to attack, got {tuple(picture.shape)}")
    return (ATTACKS[name](picture, seed) * 255).round() / 255


def check(names: list[str]) -> None:
    """Refuse names that no attack has."""
    for name in names:
        if name not in ATTACKS:
            raise ObvertError(unknown("attack", name, list(ATTACKS)))


def _image(picture: Tensor) -> Image:
    from PIL import Image

    return Image.fromarray((picture.detach().cpu() * 255).round().byte().permute(1, 2, 0).contiguous().numpy())


def _picture(image: Image, like: Tensor) -> Tensor:
    import numpy as np

    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).to(like) / 255
