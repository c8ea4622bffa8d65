"""Media to the latents of a decoder and back: what the encoder alone gives, what inversion finds, what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from obvert.core import Autoencoder, Inversion, ObvertError, Progress, Status
from obvert.media import LOUD, Medium, difference
from obvert.metrics import residual_db
from obvert.provenance import versions
from obvert.report import Curves, Gallery, GalleryRow, Report, Table
from obvert.store import Run

Inverts = Callable[..., Inversion]
"""(model, media (1, C, ...), progress=...) -> the inversion."""
SHOWN = 8
"""Curves on a page, and videos or sounds, which are large; of pictures all are shown."""
NOTES = {
    "picture": "",
    "video": " A page shows the first 64 frames.",
    "sound": " A page plays the first 6 seconds; time runs to the right, frequency from 0 to half the rate upwards, "
    "from -90 dB, dark, to a sine of full scale.",
}


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """One medium, inverted."""

    name: str
    given: Medium
    latents: Tensor
    """(c, ...) found."""
    seen: Medium
    """Decoded from them, as large as the one given."""
    start: Medium
    """Decoded from what the encoder gives."""
    trace: Tensor
    """(T + 1,) mean squared error along the way."""
    row: dict[str, Any]
    """What the command prints."""

    @property
    def error(self) -> Medium:
        """What is left, eight times."""
        return difference(self.seen, self.given)


def reconstruct(
    model: Autoencoder,
    media: Mapping[str, Medium],
    method: Inverts,
    *,
    run: Run | None = None,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> list[Rebuilt]:
    """Invert pictures, videos or sounds one by one, of any sizes.

    Args:
        model: the autoencoder.
        media: by name, of the kind that the model is of; all are looked at before the first is inverted.
        method: what inverts, e.g. `DecoderInversion()`.
        run: where finished media are kept.
        progress: gives a progress callback for a name.

    Returns:
        One entry a medium. Its row holds pixel_residual_db, encoder_residual_db (before the search), evaluations (passes
        through the decoder), steps, seconds and status.

    Raises:
        ObvertError: for a medium that the model does not take.
    """
    for name, medium in media.items():
        if medium.kind != model.media:
            raise ObvertError(f"need {model.media}s for {model.card.name}, got the {medium.kind} {name}")
        try:
            model.batch(model.padded(medium.data[None]))
        except ObvertError as error:
            raise ObvertError(f"{name}: {error}") from error
    bar = progress(f"{model.media}s")
    found = []
    for i, (name, medium) in enumerate(media.items()):

        def make(given: Tensor = medium.data) -> dict[str, Tensor]:
            inversion = method(model, given[None]).cpu()
            size = tuple(slice(s) for s in given.shape)
            start = model.decode(model.encode(model.padded(given[None])))[0].cpu()
            return {
                "latents": inversion.x[0],
                "seen": inversion.features[0],
                "start": start[size],
                "trace": inversion.trace[:, 0],
                "steps": inversion.steps,
                "status": inversion.status,
                "seconds": torch.tensor([inversion.seconds]),
            }

        piece = run.piece(f"{model.media}-{i:05d}", make) if run else make()
        found.append(_rebuilt(name, medium, piece))
        if bar:
            bar(i + 1, len(media), found[-1].row["pixel_residual_db"])
    return found


def _rebuilt(name: str, given: Medium, piece: dict[str, Tensor]) -> Rebuilt:
    row = {
        "task": "decoder-inversion",
        given.kind: name,
        "pixel_residual_db": residual_db(piece["seen"][None], given.data[None]).item(),
        "encoder_residual_db": residual_db(piece["start"][None], given.data[None]).item(),
        "evaluations": len(piece["trace"]),
        "steps": int(piece["steps"]),
        "seconds": piece["seconds"].item(),
        "status": Status(int(piece["status"])).name.lower(),
    }
    seen, start = (replace(given, data=piece[key]) for key in ("seen", "start"))
    return Rebuilt(name=name, given=given, latents=piece["latents"], seen=seen, start=start, trace=piece["trace"], row=row)


def report(model: Autoencoder, found: list[Rebuilt], method: Any) -> Report:
    """The page of a run: media before and after, the error's fall, a row for each.

    Args:
        model: the autoencoder.
        found: as `reconstruct` gives it.
        method: for the record.

    Returns:
        The report.
    """
    kind = model.media
    gain = fmean(part.row["encoder_residual_db"] - part.row["pixel_residual_db"] for part in found)
    verb = "lowers" if gain >= 0 else "raises"
    gallery = [
        GalleryRow(
            query=part.given,
            label=part.name,
            results={
                "decoded": [
                    (part.start, f"encoder alone, {part.row['encoder_residual_db']:.1f} dB", None),
                    (part.seen, f"inverted, {part.row['pixel_residual_db']:.1f} dB", None),
                    (part.error, f"what is left, {LOUD:.0f} times", None),
                ]
            },
        )
        for part in (found if kind == "picture" else found[:SHOWN])
    ]
    curves: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        part.name: ([float(k) for k in range(len(part.trace))], (10 * part.trace.double().log10()).tolist())
        for part in found[:SHOWN]
    }
    columns = [key for key in found[0].row if key != "task"]
    note = f"Mean squared error in decibels; lower is nearer.{NOTES[kind]}"
    return Report(
        title=f"Latents of {model.card.name}",
        lead=f"Over {len(found)} {kind}s, inversion {verb} the error of the decoded {kind} by {abs(gain):.1f} dB on average.",
        blocks=[
            Gallery(title="Before and after", queries=gallery, note=note),
            Curves(title="The error along the way", x_label="steps", y_label=f"error of the {kind} (dB)", series=curves),
            Table(title=f"{kind.capitalize()}s", rows=[part.row for part in found], columns=columns),
        ],
        rows=[part.row for part in found],
        meta={"model": vars(model.card), "method": repr(method), "versions": versions()},
    )
