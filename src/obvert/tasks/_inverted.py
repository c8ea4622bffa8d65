"""What the pages of inverted readers and writers share: media as files hold them, the columns that say something, the way."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from obvert.core import Inversion, ObvertError, Reader, Writer
from obvert.media import Medium
from obvert.metrics import bounds_of_quality, log_mel_distance, sound_quality
from obvert.provenance import versions
from obvert.report import Curves

LEVELS = {"picture": 255.0, "sound": 32767.0}
"""Levels of a file from 0 to 1."""
SHOWN = 8
"""Curves in one figure, at most."""
QUALITIES = ("pesq", "stoi", "log_mel_db")
"""Measures of a sound against a recording; the first two need the extra `audio`."""


def as_file(media: Tensor, kind: str) -> Tensor:
    """Media as a file holds them, rounded to 8 bits (pictures) or 16 (sounds)."""
    return (media * LEVELS[kind]).round() / LEVELS[kind]


def medium_of(model: Reader | Writer, data: Tensor) -> Medium:
    """What was found or is written, as a file holds it, to be shown."""
    return Medium(kind=model.media, data=as_file(data.detach().cpu(), model.media), rate=model.rate)


def quality(recorded: Tensor, found: Tensor, rate: int, *, bounds: bool = False) -> list[dict[str, float | None]]:
    """Sounds against recordings, over the length of the shorter.

    Args:
        recorded: (B, 1, S).
        found: (B, 1, S').
        rate: samples a second of both.
        bounds: tell beside PESQ and STOI what they are to be read between: noise as loud as the recording (`pesq_floor`), and
            the recording heard through its log-mel (`pesq_ceiling`), both over its whole length.

    Returns:
        A row a sound: `pesq`, `stoi`, `log_mel_db`; None where a measure is not defined, or, with a warning, not installed.
    """
    length = min(recorded.shape[-1], found.shape[-1])
    one, other = recorded[..., :length], as_file(found.detach().cpu(), "sound")[..., :length]
    try:
        told = sound_quality(one, other, rate)
        limits = bounds_of_quality(recorded, rate) if bounds else {}
    except ObvertError as error:
        warnings.warn(f"sounds are compared by their log-mel alone: {error}", stacklevel=2)
        told, limits = {"log_mel_db": log_mel_distance(one, other, rate)}, {}
    told |= {f"{name}_{end}": limit[name] for name in QUALITIES[:2] for end, limit in limits.items()}
    blank = dict.fromkeys([*QUALITIES, *told])
    return [blank | {name: value[i].item() for name, value in told.items() if not value[i].isnan()} for i in range(len(one))]


def columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The columns of a table of inversions: those that some row fills, but for task and status."""
    return [key for key in rows[0] if key not in ("task", "status") and any(row[key] is not None for row in rows)]


def way(inversion: Inversion, names: Sequence[str], label: str) -> Curves:
    """The error of the first few inversions, step by step."""
    trace = inversion.trace.cpu()
    steps = [float(k) for k in range(len(trace))]
    series: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        f"{i + 1}: {name}": (steps, trace[:, i].tolist()) for i, name in enumerate(names[:SHOWN])
    }
    return Curves(title="The way", x_label="step", y_label=label, series=series)


def about(model: Reader | Writer, inversion: Inversion) -> dict[str, Any]:
    """Which model, method, seed and versions gave the page."""
    return {"model": vars(model.card), "method": inversion.settings, "seed": inversion.seed, "versions": versions()}
