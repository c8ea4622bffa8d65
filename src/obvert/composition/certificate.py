"""Pseudo-optimal encoders: as good as a given one on all captions that were seen, blind to every edit that was not.

    pi(t) = t on the support S of captions seen,  pi(op(s)) = s for op(s) outside S,  pi pi = pi         T' = T o pi

T' equals T on S, so every contrastive loss over captions of S is the same to the last bit, for every batch, size and
temperature, and no training on S can prefer T. Yet T' cannot tell s from op(s) whatever the picture. It ends where the data
speak: an op(s) that is itself in S, as the caption of another picture, stays what it is, and must be told apart.

An edit that two captions lead to can be sent to one of them only. It is tied with that one here, and with the other by
another pi: as many as there are captions that lead to one edit tie them all.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from obvert.composition.text.words import words
from obvert.core import Contrast, ObvertError

Encode = Callable[[Sequence[str]], Tensor]
"""Texts to unit features (B, d)."""
Place = Literal["outside", "contested", "in support", "same picture", "no edit"]


@dataclass(frozen=True, kw_only=True)
class Negative:
    """A text that is wrong of a caption's picture."""

    caption: int
    """Row of the caption that it was made of."""
    text: str
    operator: str = ""
    atom: str = ""


def of_contrasts(items: Sequence[Contrast]) -> tuple[list[str], list[Negative]]:
    """The first text of each contrast as a caption that was seen, and its wrong texts as negatives."""
    wrong = [(row, item, set(range(len(item.texts))) - set(item.right[0])) for row, item in enumerate(items)]
    negatives = [
        Negative(caption=row, text=item.texts[i], operator=item.operator, atom=item.atom)
        for row, item, not_right in wrong
        for i in sorted(not_right)
    ]
    return [item.texts[0] for item in items], negatives


@dataclass(frozen=True, kw_only=True)
class Retraction:
    """pi: a map of texts onto those that were seen."""

    back: Mapping[str, str]
    """{words of an edit outside the support: the caption it goes back to}."""

    def __call__(self, text: str) -> str:
        """The text itself, or the caption that stands for it."""
        return self.back.get(_key(text), text)

    def through(self, encode: Encode) -> Encode:
        """The encoder T o pi: each different text is encoded once, so that what is one to pi is one to the last bit."""

        def encoded(texts: Sequence[str]) -> Tensor:
            row = {text: i for i, text in enumerate(dict.fromkeys(map(self, texts)))}
            return encode(list(row))[[row[self(text)] for text in texts]]

        return encoded


def retract(
    captions: Sequence[str], negatives: Sequence[Negative], pictures: Sequence[int] | None = None
) -> tuple[Retraction, list[Place]]:
    """Build pi, and say of each negative where it lies.

    Args:
        captions: the support S; texts of the same words in the same order are one.
        negatives: edits of them.
        pictures: of each caption the number of its picture; each its own when None.

    Returns:
        pi, and of each negative: "outside" the support and sent back to its caption; "contested", outside and sent to another
        caption that leads to it as well; "in support", as a caption of another picture; "same picture", in the support, but
        only as another caption of its own picture; "no edit", the words of its caption.

    Raises:
        ObvertError: for a caption without a word, or numbers that do not fit.
    """
    keys = [_key(text) for text in captions]
    if not all(keys) or (pictures is not None and len(pictures) != len(keys)):
        empty, told = sum(not key for key in keys), len(keys if pictures is None else pictures)
        raise ObvertError(
            f"need captions with words, and a picture of each, got {empty} without words, {told} pictures of {len(keys)}"
        )
    shown = defaultdict[str, set[int]](set)
    for row, key in enumerate(keys):
        shown[key].add(row if pictures is None else pictures[row])
    back: dict[str, str] = {}
    places: list[Place] = []
    for negative in negatives:
        key, own = _key(negative.text), keys[negative.caption]
        if key == own:
            places.append("no edit")
        elif key in shown:
            places.append("in support" if shown[key] - shown[own] else "same picture")
        else:
            home = back.setdefault(key, captions[negative.caption])
            places.append("outside" if _key(home) == own else "contested")
    return Retraction(back=back), places


def retractions_needed(captions: Sequence[str], negatives: Sequence[Negative], places: Sequence[Place]) -> int:
    """How many maps pi tie every negative outside the support with its caption: most captions that lead to one."""
    homes = defaultdict[str, set[str]](set)
    for negative, place in zip(negatives, places, strict=True):
        if place in ("outside", "contested"):
            homes[_key(negative.text)].add(_key(captions[negative.caption]))
    return max(map(len, homes.values()), default=0)


def losses(image: Tensor, text: Tensor, batches: Tensor, temperature: float) -> Tensor:
    """The symmetric contrastive loss of each batch.

    Args:
        image: (M, d) unit features.
        text: (M, d) unit features of their captions.
        batches: (K, N) rows of each batch.
        temperature: tau > 0.

    Returns:
        (K,) float64, nats.
    """
    found = []
    for rows in batches:
        logits = image[rows].double() @ text[rows].double().T / temperature
        target = torch.arange(len(rows), device=logits.device)
        found.append((cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2)
    return torch.stack(found)


def draw(count: int, size: int, draws: int, seed: int = 0) -> Tensor:
    """Batches (draws, size) of rows, each without replacement; ObvertError when there are fewer than `size` rows."""
    if not 2 <= size <= count:
        raise ObvertError(f"need batches of 2 to {count} captions, as many as there are, got {size}")
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randperm(count, generator=generator)[:size] for _ in range(draws)])


def equal_losses(
    image: Tensor,
    encoders: Mapping[str, Tensor],
    *,
    sizes: Sequence[int],
    temperatures: Sequence[float],
    draws: int = 50,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Losses of several text encoders beside those of the first, over the same batches.

    Args:
        image: (M, d) unit features of the captions' pictures.
        encoders: {name: (M, d) unit features of the captions}; the first is what the others are compared with.
        sizes: of batches, N.
        temperatures: tau.
        draws: batches of each size.
        seed: of the batches.

    Returns:
        A row for each size and temperature: the mean loss of each encoder and, of all but the first, "NAME difference", the
        largest difference in any batch.
    """
    rows: list[dict[str, Any]] = []
    for size in sizes:
        batches = draw(len(image), size, draws, seed)
        for temperature in temperatures:
            found = {name: losses(image, text, batches, temperature) for name, text in encoders.items()}
            first = next(iter(found.values()))
            row: dict[str, Any] = {"batch": size, "temperature": temperature, "batches": draws}
            row |= {name: loss.mean().item() for name, loss in found.items()}
            rows.append(row | {f"{name} difference": (found[name] - first).abs().max().item() for name in list(found)[1:]})
    return rows


def _key(text: str) -> str:
    return " ".join(words(text))
