"""Videos: animations by Pillow, folders of frames, and films by PyAV in; animated WebP, lossless, out.

Frames are taken as the file holds them, upright, one after the other; where they are not equally long, the rate is their mean.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.io import FORMATS, SUFFIXES, PictureError, read_images
from obvert.media import Medium, Takes
from obvert.media.picture import pixels

SUFFIX = ".webp"
RATE = 10.0
"""Frames a second where a file does not say."""
MAX_PIXELS = 256_000_000
"""Of all frames together: 3 GB in 32 bits."""
STILLS = 8
"""Frames that stand for a video."""


def read(path: Path, model: Takes, frames: int | None = None) -> Medium:
    """Read a video.

    Args:
        path: an animated GIF, WebP or PNG; a folder of pictures, in the order of their names, numbers as numbers; or
            what PyAV reads, e.g. MP4, MOV, WebM, AVI.
        model: not asked.
        frames: only the first so many.

    Returns:
        (3, T, H, W) and frames a second, None where the file does not say.

    Raises:
        ObvertError: for a missing or broken file, no frames, frames of unlike sizes, or more pixels than `MAX_PIXELS`.
        PictureError: for a broken frame of a folder.
    """
    if path.is_dir():
        source = _folder(path)
    elif not path.is_file():
        raise ObvertError(f"{path}: need a video or a folder of frames, got nothing there")
    else:
        source = _animation(path) if path.suffix.lower() in SUFFIXES else _film(path)
    found: list[Tensor] = []
    times: list[float] = []
    try:
        for frame, seconds in itertools.islice(source, frames):
            if found and frame.shape != found[0].shape:
                one, other = (f"{x.shape[2]} x {x.shape[1]}" for x in (found[0], frame))
                raise ObvertError(f"{path}: need frames of one size, got {one} and, frame {len(found) + 1}, {other}")
            found.append(frame)
            times.append(seconds)
            if len(found) * frame[0].numel() > MAX_PIXELS:
                raise ObvertError(f"{path}: need at most {MAX_PIXELS:,} pixels in all frames, got more; take fewer frames")
    except (ObvertError, PictureError):
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise ObvertError(f"{path}: need a video, got what cannot be decoded ({told})") from error
    if not found:
        raise ObvertError(f"{path}: need a frame or more, got none")
    rate = len(times) / sum(times) if all(times) else None
    return Medium(kind="video", data=torch.stack(found, dim=1).float() / 255, rate=rate)


def _folder(path: Path) -> Iterator[tuple[Tensor, float]]:
    """Pictures of a folder as frames."""
    files = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
    for file in sorted(files, key=lambda file: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", file.name)]):
        yield _bytes(read_images(file)[0]), 0.0


def _animation(path: Path) -> Iterator[tuple[Tensor, float]]:
    """Frames of what Pillow reads."""
    from PIL import Image, ImageSequence, UnidentifiedImageError

    try:
        with Image.open(path, formats=FORMATS) as image:
            for frame in ImageSequence.Iterator(image):
                frame.load()  # only then it tells how long it lasts
                yield _bytes(read_images(frame)[0]), frame.info.get("duration", 0) / 1000
    except UnidentifiedImageError as error:
        raise ObvertError(f"{path}: need an animation or a picture ({', '.join(FORMATS)}), got something else") from error


def _film(path: Path) -> Iterator[tuple[Tensor, float]]:
    """Frames of what PyAV reads, turned upright."""
    try:
        import av
    except ImportError as error:
        raise ObvertError(f"need PyAV to read {path}, got none: pip install 'obvert[video]'") from error
    with av.open(str(path)) as film:
        if not film.streams.video:
            raise ObvertError(f"{path}: need a video, got a file without frames")
        stream = film.streams.video[0]
        seconds = float(1 / stream.average_rate) if stream.average_rate else 0.0
        for frame in film.decode(stream):
            upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
            yield torch.from_numpy(np.ascontiguousarray(upright)).movedim(-1, 0), seconds


def _bytes(picture: Tensor) -> Tensor:
    """(3, H, W) in [0, 1] -> uint8: a quarter of the memory while frames are gathered."""
    return (picture * 255).round().byte()


def encode(medium: Medium) -> bytes:
    """An animated WebP, lossless, that repeats."""
    return animation(medium, "webp", lossless=True)


def animation(medium: Medium, kind: Literal["webp", "png"], *, lossless: bool) -> bytes:
    """A video as an animation that repeats.

    Args:
        medium: a video.
        kind: of file; PNG is lossless in any case.
        lossless: keep every number, of 8 bits.

    Returns:
        The file.
    """
    from PIL import Image

    page, (first, *rest) = BytesIO(), [Image.fromarray(pixels(frame)) for frame in medium.data.unbind(1)]
    time = round(1000 / (medium.rate or RATE))
    first.save(page, kind, save_all=True, append_images=rest, duration=time, loop=0, lossless=lossless, exact=lossless)
    return page.getvalue()


def still(medium: Medium) -> Tensor:
    """(3, H, W) up to eight frames in a row, evenly spread, first and last among them."""
    count = medium.data.shape[1]
    chosen = torch.linspace(0, count - 1, min(STILLS, count)).round().long()
    return torch.cat(medium.data[:, chosen].unbind(1), dim=-1)
