"""The page of edited pictures: before and after, and how exactly the way back was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from torch import Tensor

from obvert.core import Diffusion
from obvert.provenance import versions
from obvert.report import Gallery, GalleryRow, Report, Table
from obvert.tasks.edit import Edited

NOTE = (
    "Mean squared errors of pixels against the picture given, in decibels, lower is nearer: of the autoencoder alone, of the "
    "picture drawn again under the source caption, of the edit outside the mask. Latents: what the inversion itself missed."
)
WORSE, MISSED = 1.0, -20.0
"""Decibels that the way to the noise and back may cost on top of the autoencoder, and miss of the latents; else a page warns."""
ERRORS = ("autoencoder", "reconstruction", "untouched", "latents")


def rows(names: Sequence[str], found: Sequence[Edited]) -> list[dict[str, Any]]:
    """What a command prints: the rows of edits, errors in decibels.

    Args:
        names: of the pictures.
        found: as `edit` gives it, in parts.

    Returns:
        One row a picture; an error of 0 is minus infinity, one that there is not None.
    """
    made = []
    for name, row in zip(names, [row for part in found for row in part.rows], strict=True):
        errors = {f"{key}_db": None if row[key] is None else _db(row[key]) for key in ERRORS}
        made.append({"task": "edit", "picture": name} | {k: v for k, v in row.items() if k not in ERRORS} | errors)
    return made


def _db(error: float) -> float:
    return 10 * math.log10(error) if error else -math.inf


def report(model: Diffusion, found: Sequence[Edited], given: Tensor, masks: Tensor | None, rows: list[dict[str, Any]]) -> Report:
    """The page.

    Args:
        model: who drew.
        found: as `edit` gives it, in parts.
        given: (B, 3, H, W) the pictures.
        masks: (B, 1, H, W), if there are any.
        rows: as `rows` gives them.

    Returns:
        The report.
    """
    gallery = []
    for i, (seen, again) in enumerate(zip(*(_all(found, name) for name in ("pictures", "reconstructed")), strict=True)):
        shown: list[tuple[Any, str, bool | None]] = [(again, f"again, {rows[i]['reconstruction_db']:.1f} dB", None)]
        shown += [] if masks is None else [(masks[i].expand(3, -1, -1), "may change: white", None)]
        shown += [(seen, rows[i]["target"], None)]
        gallery.append(GalleryRow(query=given[i], label=rows[i]["picture"], results={"drawn": shown}))
    lost = [row for row in rows if row["reconstruction_db"] > row["autoencoder_db"] + WORSE or row["latents_db"] > MISSED]
    told = (
        f"{len(lost)} of {len(rows)} pictures do not come back under their source caption as the autoencoder alone gives them: "
        "an edit keeps less of them than it could. Take more steps, or a source caption that says what they show."
    )
    means = [fmean(row[f"{key}_db"] for row in rows) for key in ("reconstruction", "autoencoder")]
    columns = [key for key in rows[0] if key not in ("task", "source", "target") and any(row[key] is not None for row in rows)]
    return Report(
        title=f"“{rows[0]['source']}” to “{rows[0]['target']}”",
        lead=f"Drawn again under its own caption, a picture comes back with an error of {means[0]:.1f} dB on average over "
        f"{len(rows)}; the autoencoder alone leaves {means[1]:.1f} dB.",
        blocks=[
            Gallery(title="Before and after", queries=gallery),
            Table(title="How exact the way back is", rows=rows, columns=columns, note=NOTE),
        ],
        rows=rows,
        meta={"model": vars(model.card), "method": found[0].inversion.settings, "versions": versions()},
        warnings=[told] if lost else [],
    )


def _all(found: Sequence[Edited], name: str) -> list[Tensor]:
    return [picture.cpu() for part in found for picture in getattr(part, name)]
