"""Media in and out: one file a medium, which reads it, writes it, and shows it as a picture.

Such a file has SUFFIX, of what it writes, and SUFFIXES, of what it reads; `read(path, model)`; `encode(medium)`, the bytes of
such a file; and `still(medium)`, a picture (3, H, W) of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from torch import Tensor

from obvert.core import Card, ObvertError
from obvert.core.autoencoder import Media
from obvert.registry import module

LOUD = 8.0
"""Times that `difference` shows what is left."""


class Takes(Protocol):
    """What reading a file for a model asks of it: any autoencoder, reader or writer."""

    @property
    def card(self) -> Card: ...
    @property
    def media(self) -> Media: ...
    @property
    def channels(self) -> int | None: ...
    @property
    def rate(self) -> int | None: ...


@dataclass(frozen=True, kw_only=True)
class Medium:
    """One picture, video or sound."""

    kind: Media
    data: Tensor
    """(3, H, W) picture or (3, T, H, W) video in [0, 1], or (C, S) sound in [-1, 1]."""
    rate: float | None = None
    """Frames or samples a second, where they are known."""


def read(path: str | Path, model: Takes, *, frames: int | None = None) -> Medium:
    """Read a file as the medium that a model is of.

    Args:
        path: a picture; a video or a folder of its frames; a sound.
        model: whose channels and rate a sound is brought to.
        frames: only the first so many of a video; all when None.

    Returns:
        The medium.

    Raises:
        ObvertError: for what cannot be read, in one line that names the file.
        PictureError: for a picture that cannot be read.
    """
    if frames is not None and model.media != "video":
        raise ObvertError(f"need a model of videos to take so many frames, got {model.card.name} of {model.media}s")
    if frames is not None and frames < 1:
        raise ObvertError(f"need 1 frame or more of a video, got {frames}")
    reader = module("media", model.media)
    found: Medium = reader.read(Path(path), model) if frames is None else reader.read(Path(path), model, frames)
    return found


def files(folder: Path, kind: Media) -> list[Path]:
    """The files of a folder that hold media of a kind, by their names' ends.

    Args:
        folder: where they lie, not deeper.
        kind: "picture" or "sound".

    Returns:
        Their paths, in the order of their names.

    Raises:
        ObvertError: where there is no such file.
    """
    ends = module("media", kind).SUFFIXES
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in ends and p.name[0] != ".") if folder.is_dir() else []
    if not found:
        raise ObvertError(f"need a folder with {kind}s ({', '.join(sorted(ends))}), got {folder}")
    return found


def save(medium: Medium, stem: Path) -> Path:
    """Write a medium beside others: PNG, animated WebP (lossless), or 16-bit WAV.

    Args:
        medium: what to write.
        stem: path without suffix.

    Returns:
        The path.
    """
    file = module("media", medium.kind)
    path = stem.with_name(stem.name + file.SUFFIX)
    path.write_bytes(file.encode(medium))
    return path


def still(medium: Medium) -> Medium:
    """A picture of a medium: itself, some frames in a row, or a spectrogram."""
    return Medium(kind="picture", data=module("media", medium.kind).still(medium))


def difference(seen: Medium, given: Medium) -> Medium:
    """What is left, eight times: as a sound of its own, or over grey.

    Args:
        seen: a medium.
        given: another of the same kind and shape.

    Returns:
        `LOUD` (seen - given), clipped to the medium's bounds.
    """
    wrong = LOUD * (seen.data - given.data)
    return replace(given, data=wrong.clamp(-1, 1) if given.kind == "sound" else (0.5 + wrong).clamp(0, 1))
