"""Encode picture files in pieces: memory holds a chunk of pictures, what is done survives an interruption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from obvert.core import DualEncoder, Judged, PictureSet, Progress, Stored
from obvert.io import PictureError, read_images
from obvert.store import Run

CHUNK = 256
"""Pictures in memory at once, and what an interruption can lose."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The readable pictures of a set, encoded."""

    pictures: PictureSet
    """The set without its broken files."""
    features: Tensor
    """(N, d) unit norm, in main memory."""
    broken: list[str]
    """One line for each file left out, with the reason."""


def encode(model: DualEncoder, pictures: PictureSet, *, run: Run | None = None, progress: Progress | None = None) -> Encoded:
    """Encode a set of pictures, leaving out the broken ones.

    Args:
        model: the encoder.
        pictures: the files.
        run: where finished pieces are kept.
        progress: called with (pictures done, total, 0).

    Returns:
        Features of the readable files, and the set without the others and without the classes that lost all their files.

    Raises:
        PictureError: when none can be read.
    """
    paths, total = pictures.paths, len(pictures.paths)
    pieces: list[dict[str, Tensor]] = []
    broken: list[str] = []
    for i, start in enumerate(range(0, total, CHUNK)):
        part = paths[start : start + CHUNK]

        def make(part: Sequence[Path | Stored] = part) -> dict[str, Tensor]:
            images, kept = [], []
            for path in part:
                try:
                    images += read_images(path)
                except PictureError:
                    kept.append(False)
                else:
                    kept.append(True)
            return {"features": model.image_features(images).cpu(), "kept": torch.tensor(kept)}

        pieces.append(run.piece(f"pictures-{i:05d}", make) if run else make())
        broken += [_reason(path) for path, kept in zip(part, pieces[-1]["kept"].tolist(), strict=True) if not kept]
        if progress:
            progress(min(start + CHUNK, total), total, 0.0)
    kept = torch.cat([piece["kept"] for piece in pieces])
    if not kept.any():
        raise PictureError(f"need at least one readable picture, got {len(broken)} broken, the first: {broken[0]}")
    return Encoded(pictures=_without(pictures, kept.tolist()), features=torch.cat([p["features"] for p in pieces]), broken=broken)


def _without(pictures: PictureSet, kept: list[bool]) -> PictureSet:
    """The set of the kept rows, counted anew; a class that lost all its files goes too."""
    place = {row: i for i, row in enumerate(row for row, keep in enumerate(kept) if keep)}
    lost = set(pictures.labels) - {pictures.labels[row] for row in place}
    stay = [label for label in range(len(pictures.classes)) if label not in lost]
    new = {label: i for i, label in enumerate(stay)}

    def rows(old: Sequence[int]) -> list[int]:
        return [place[row] for row in old if row in place]

    def lists(old: Sequence[Sequence[int]]) -> list[list[int]]:
        return [rows(mine) for query, mine in zip(pictures.queries or [], old, strict=True) if query in place]

    def again(old: Judged) -> Judged:
        return replace(old, relevant=lists(old.relevant), junk=lists(old.junk))

    return replace(
        pictures,
        paths=[pictures.paths[row] for row in place],
        labels=[new[pictures.labels[row]] for row in place],
        classes=[pictures.classes[label] for label in stay],
        queries=None if pictures.queries is None else rows(pictures.queries),
        gallery=None if pictures.gallery is None else rows(pictures.gallery),
        judged={level: again(judged) for level, judged in pictures.judged.items()},
    )


def _reason(path: Path | Stored) -> str:
    try:
        read_images(path)
    except PictureError as error:
        return str(error)
    return f"{path}: could not be read when it was first tried"
