"""Media as addresses that hold them: what moves and what sounds, short enough for a page."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from torch.nn.functional import interpolate

from obvert.media import Medium, still
from obvert.report.figures import LOSSLESS, SIDE, data_uri

SECONDS = 6.0
"""What a page holds of a sound."""
USUAL = 44100
"""Samples a second where that is not known."""
FRAMES = 64
"""What a page holds of a video."""


def image_uri(picture: Any) -> str:
    """A picture, an animation or a spectrogram as an address that holds it.

    Args:
        picture: as `data_uri` takes it, or a `Medium`.

    Returns:
        A data URI; PNG where each pixel is to be seen.
    """
    if not isinstance(picture, Medium):
        return data_uri(picture)
    if picture.kind == "picture":
        return data_uri(picture.data)
    if picture.kind == "sound":
        return data_uri(still(_cut(picture)).data, side=480)
    from obvert.media.video import animation

    frames = picture.data[:, :FRAMES]
    height, width = frames.shape[2:]
    if max(height, width) <= LOSSLESS:
        return _uri("image/png", animation(replace(picture, data=frames), "png", lossless=True))
    scale = min(1, 2 * SIDE / max(height, width))  # twice what is shown: sharp on fine screens
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    small = interpolate(frames.transpose(0, 1), size, mode="bilinear", antialias=True).transpose(0, 1)
    return _uri("image/webp", animation(replace(picture, data=small), "webp", lossless=False))


def sound_uri(picture: Any) -> str:
    """The first seconds of a sound as a WAV file in an address; "" for what makes none."""
    if not isinstance(picture, Medium) or picture.kind != "sound":
        return ""
    from obvert.media.sound import encode

    return _uri("audio/wav", encode(_cut(picture)))


def axes_of(picture: Any) -> str:
    """How far the axes of a sound's spectrogram go; "" for what has none."""
    if not isinstance(picture, Medium) or picture.kind != "sound":
        return ""
    rate = picture.rate or USUAL
    return f"0 to {_cut(picture).data.shape[-1] / rate:.3g} s, 0 to {rate / 2000:g} kHz"


def _cut(sound: Medium) -> Medium:
    return replace(sound, data=sound.data[:, : round(SECONDS * (sound.rate or USUAL))])


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
