"""Concepts of a vision-language model, inverted and judged: does anybody else see them in what was found?

The judges of readers judge (see `obvert.tasks.reading`), and an independent dual encoder names what is in the picture, among the
names it is given. None of them is part of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import DualEncoder, Inversion, ObvertError, Reader
from obvert.media import files
from obvert.metrics import rank_of
from obvert.tasks import reading
from obvert.tasks._fit import fit
from obvert.tasks._inverted import as_file
from obvert.tasks._judges import Judges, legible
from obvert.zoo.depict import depict
from obvert.zoo.exam import pictures


def rows(
    model: Reader, inversion: Inversion, concepts: Sequence[str], judges: Judges, names: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """What is to be said of each concept: as of every inverted reader, and what a dual encoder names it.

    Args:
        model: the reader.
        inversion: of it.
        concepts: what was wanted.
        judges: the others.
        names: of things that could be there; those of the concepts are added. None are named when empty.

    Returns:
        A row a concept: that of `reading.rows`, `answer_tokens`, and `named` (what the dual encoder takes it for), `top1` and
        `top5` (whether the concept is among its first ones); None without a dual encoder or names.
    """
    found = reading.rows(model, inversion, concepts, judges)
    lengths = model.answer(list(concepts)).mask.sum(1).tolist()
    pictures = list(as_file(inversion.features.detach().cpu(), "picture"))
    told = named(judges.encoder, pictures, concepts, names) if judges.encoder and names else [dict.fromkeys(TOLD)] * len(found)
    return [row | {"answer_tokens": length} | more for row, length, more in zip(found, lengths, told, strict=True)]


DRAWN = 16
"""Scenes of each concept."""
TOLD = ("named", "top1", "top5")


def named(
    encoder: DualEncoder, pictures: Sequence[Tensor], concepts: Sequence[str], names: Sequence[str]
) -> list[dict[str, Any]]:
    """What a dual encoder takes pictures for.

    Args:
        encoder: the judge.
        pictures: B, (3, H, W) in [0, 1].
        concepts: B, what each should be.
        names: what it may say; concepts are added.

    Returns:
        A row a picture: `named`, `top1`, `top5`.
    """
    known = list(dict.fromkeys([*names, *concepts]))
    image, text = encoder.image_features(pictures).cpu(), encoder.text_features([f"a photo of {name}" for name in known]).cpu()
    rank = rank_of(image, text, torch.tensor([known.index(concept) for concept in concepts]))
    best = (image @ text.T).argmax(1).tolist()
    return [{"named": known[i], "top1": float(r < 1), "top5": float(r < 5)} for i, r in zip(best, rank.tolist(), strict=True)]


def real_pictures(folder: Path, model: Reader, concepts: Sequence[str]) -> list[Tensor]:
    """Real pictures of concepts, as large as the model takes them.

    Args:
        folder: of pictures of the one concept; or with a folder for each, of its name; or "scenes", where there is no such
            folder, to draw them.
        model: the reader.
        concepts: whose they are.

    Returns:
        Of each concept (N, 3, H, W) in [0, 1]. A file that cannot be read is left out, with a warning.

    Raises:
        ObvertError: where a concept has no folder, or no picture that can be read, or cannot be drawn.
    """
    if folder == Path("scenes") and not folder.exists():
        return [torch.stack([fit(p, _size(model)) for p in pictures(depict(c, DRAWN, seed=0))]) for c in concepts]
    own = [folder / concept for concept in concepts]
    if lacking := [place.name for place in own if not place.is_dir()]:
        if len(concepts) > 1:
            raise ObvertError(f"need a folder for each concept in {folder}, got none named {lacking[0]!r}")
        own = [folder]
    found = []
    for place in own:
        some = [fit(picture, _size(model)) for picture in legible(files(place, "picture"), model)]
        if not some:
            raise ObvertError(f"need a picture that can be read in {place}, got none")
        found.append(torch.stack(some))
    return found


def _size(model: Reader) -> tuple[int, int]:
    return model.medium.shape[1], model.medium.shape[2]
