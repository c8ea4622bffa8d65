"""Pictures to the latents of a decoder and back: what the encoder alone gives, what inversion finds, what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from obvert.core import Autoencoder, Inversion, ObvertError, Progress, Status
from obvert.metrics import residual_db
from obvert.provenance import versions
from obvert.report import Curves, Gallery, GalleryRow, Report, Table
from obvert.store import Run

Inverts = Callable[..., Inversion]
"""(model, pictures (1, 3, H, W), progress=...) -> the inversion."""
LOUD = 8.0
"""Times that errors are shown."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """One picture, inverted."""

    name: str
    picture: Tensor
    """(3, H, W) in [0, 1]."""
    latents: Tensor
    """(c, h, w) found."""
    seen: Tensor
    """(3, H, W) decoded from them."""
    start: Tensor
    """(3, H, W) decoded from what the encoder gives."""
    trace: Tensor
    """(T + 1,) mean squared error along the way."""
    row: dict[str, Any]
    """What the command prints."""

    @property
    def error(self) -> Tensor:
        """(3, H, W) what is left, as grey plus eight times the difference."""
        return (0.5 + LOUD * (self.seen - self.picture)).clamp(0, 1)


def reconstruct(
    model: Autoencoder,
    pictures: Mapping[str, Tensor],
    method: Inverts,
    *,
    run: Run | None = None,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> list[Rebuilt]:
    """Invert pictures one by one, of any sizes.

    Args:
        model: the autoencoder.
        pictures: {name: (3, H, W) in [0, 1]}.
        method: what inverts, e.g. `DecoderInversion()`.
        run: where finished pictures are kept.
        progress: gives a progress callback for a name.

    Returns:
        One entry a picture. Its row holds pixel_residual_db, encoder_residual_db (before the search), evaluations (passes
        through the decoder), steps, seconds and status.

    Raises:
        ObvertError: for a model that takes no pictures.
    """
    if model.media != "picture":
        raise ObvertError(f"need an autoencoder of pictures, got {model.card.name}, which is one of {model.media}")
    bar = progress("pictures")
    found = []
    for i, (name, picture) in enumerate(pictures.items()):

        def make(picture: Tensor = picture) -> dict[str, Tensor]:
            inversion = method(model, picture[None]).cpu()
            size = tuple(slice(s) for s in picture.shape)
            start = model.decode(model.encode(model.padded(picture[None])))[0].cpu()
            return {
                "latents": inversion.x[0],
                "seen": inversion.features[0],
                "start": start[size],
                "trace": inversion.trace[:, 0],
                "steps": inversion.steps,
                "status": inversion.status,
                "seconds": torch.tensor([inversion.seconds]),
            }

        piece = run.piece(f"picture-{i:05d}", make) if run else make()
        found.append(_rebuilt(name, picture, piece))
        if bar:
            bar(i + 1, len(pictures), found[-1].row["pixel_residual_db"])
    return found


def _rebuilt(name: str, picture: Tensor, piece: dict[str, Tensor]) -> Rebuilt:
    row = {
        "task": "decoder-inversion",
        "picture": name,
        "pixel_residual_db": residual_db(piece["seen"][None], picture[None]).item(),
        "encoder_residual_db": residual_db(piece["start"][None], picture[None]).item(),
        "evaluations": len(piece["trace"]),
        "steps": int(piece["steps"]),
        "seconds": piece["seconds"].item(),
        "status": Status(int(piece["status"])).name.lower(),
    }
    parts = {key: piece[key] for key in ("latents", "seen", "start", "trace")}
    return Rebuilt(name=name, picture=picture, row=row, **parts)


def report(model: Autoencoder, found: list[Rebuilt], method: Any) -> Report:
    """The page of a run: pictures before and after, the error's fall, a row for each.

    Args:
        model: the autoencoder.
        found: as `reconstruct` gives it.
        method: for the record.

    Returns:
        The report.
    """
    gain = fmean(part.row["encoder_residual_db"] - part.row["pixel_residual_db"] for part in found)
    gallery = [
        GalleryRow(
            query=part.picture,
            label=part.name,
            results={
                "decoded": [
                    (part.start, f"encoder alone, {part.row['encoder_residual_db']:.1f} dB", None),
                    (part.seen, f"inverted, {part.row['pixel_residual_db']:.1f} dB", None),
                    (part.error, f"what is left, {LOUD:.0f} times", None),
                ]
            },
        )
        for part in found
    ]
    curves: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        part.name: ([float(k) for k in range(len(part.trace))], (10 * part.trace.double().log10()).tolist()) for part in found[:8]
    }
    columns = [key for key in found[0].row if key != "task"]
    return Report(
        title=f"Latents of {model.card.name}",
        lead=f"Over {len(found)} pictures, inversion lowers the error of the decoded picture by {gain:.1f} dB on average.",
        blocks=[
            Gallery(title="Before and after", queries=gallery, note="Mean squared error in decibels; lower is nearer."),
            Curves(title="The error along the way", x_label="steps", y_label="error of the picture (dB)", series=curves),
            Table(title="Pictures", rows=[part.row for part in found], columns=columns),
        ],
        rows=[part.row for part in found],
        meta={"model": vars(model.card), "method": repr(method), "versions": versions()},
    )
