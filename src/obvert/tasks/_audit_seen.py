"""Features of everything an audit asks about, each text and each picture encoded once, and the scores of its contrasts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Contrast, DualEncoder, PictureSet, Progress, Stored
from obvert.store import Run
from obvert.tasks._encode import encode

SAME = 1e-5
"""Largest difference that one text has from itself in another batch."""
TEXTS = 512
"""Texts encoded between two reports of progress."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A model's features."""

    model: DualEncoder
    texts: dict[str, int]
    """Each different text and its row."""
    text: Tensor
    """(T, d) unit features."""
    pictures: dict[Any, int]
    """Each different picture that could be read, by `key`, and its row."""
    image: Tensor
    """(P, d) unit features."""
    places: Sequence[Any]
    """(P,) where each picture lies, or itself."""
    broken: Sequence[str]
    """One line for each picture that could not be read."""

    def told(self, texts: Iterable[str]) -> Tensor:
        """(B, d) features of texts."""
        return self.text[[self.texts[text] for text in texts]]

    def shown(self, pictures: Iterable[Any]) -> Tensor:
        """(B, d) features of pictures."""
        return self.image[[self.pictures[key(picture)] for picture in pictures]]

    def has(self, item: Contrast) -> bool:
        """Whether a contrast has pictures and all could be read."""
        return bool(item.pictures) and all(key(picture) in self.pictures for picture in item.pictures)

    def scores(self, item: Contrast) -> Tensor:
        """(P, T) cosines of a contrast's pictures with its texts, products of fp32 features taken in float64."""
        return self.shown(item.pictures).double() @ self.told(item.texts).double().T

    def pairs(self, items: Sequence[Contrast]) -> tuple[Tensor, Tensor]:
        """(N, 2, d) features of the pictures and of the texts of contrasts two by two."""
        images = self.shown(picture for item in items for picture in item.pictures)
        texts = self.told(text for item in items for text in item.texts)
        return images.unflatten(0, (-1, 2)), texts.unflatten(0, (-1, 2))


def see(
    model: DualEncoder,
    items: Sequence[Contrast],
    captions: Sequence[str],
    *,
    run: Run | None = None,
    progress: Progress | None = None,
) -> Seen:
    """Encode texts and pictures.

    Args:
        model: the encoder.
        items: contrasts; those without pictures have their texts encoded.
        captions: further texts.
        run: where finished pieces are kept.
        progress: called with (texts and pictures done, total, 0).

    Returns:
        The features; pictures that cannot be read are told, not raised.

    Raises:
        PictureError: when there are pictures and none can be read.
    """
    texts = list(dict.fromkeys([text for item in items for text in item.texts] + list(captions)))
    pictures = {key(picture): picture for item in items for picture in item.pictures}
    total = len(texts) + len(pictures)

    def moved(done: int, of: int, error: float) -> None:
        if progress:
            progress(len(texts) + done, total, error)

    rows = []
    for start in range(0, len(texts), TEXTS):
        rows.append(model.text_features(texts[start : start + TEXTS]).cpu())
        moved(start + len(rows[-1]) - len(texts), total, 0.0)
    image, places, broken = torch.zeros(0, model.dimension), list[Any](), list[str]()
    if pictures:
        asked = PictureSet(paths=list(pictures.values()), labels=[0] * len(pictures), classes=["picture"])
        encoded = encode(model, asked, run=run, progress=moved)
        image, broken = encoded.features, encoded.broken
        places = list(encoded.pictures.paths)
    return Seen(
        model=model,
        texts={text: i for i, text in enumerate(texts)},
        text=torch.cat(rows),
        pictures={key(picture): i for i, picture in enumerate(places)},
        image=image,
        places=places,
        broken=broken,
    )


def key(picture: Any) -> Any:
    """The same for the same picture: its place, or, of one that lies in memory, which object it is."""
    return str(picture) if isinstance(picture, str | Path | Stored) else picture if isinstance(picture, bytes) else id(picture)


def unread(seen: Seen, *, most: int = 64) -> int:
    """How many texts are longer than the model reads: their features stay when their last word goes.

    Args:
        seen: the features.
        most: texts tried at a time, the longest first; the first such batch that is read whole ends the search.

    Returns:
        Texts whose end is not read.
    """
    longest = sorted((text for text in seen.texts if len(text.split()) > 1), key=len, reverse=True)
    count = 0
    for start in range(0, len(longest), most):
        batch = longest[start : start + most]
        shorter = seen.model.text_features([text.rsplit(maxsplit=1)[0] for text in batch]).cpu()
        cut = int((seen.told(batch) - shorter).abs().amax(1).le(SAME).sum())
        count += cut
        if not cut:
            break
    return count
