"""What a model answers to an audit: which text is right, which picture, which side fails, and what one linear map brings back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from obvert.composition import recovery
from obvert.core import Contrast, ContrastSet
from obvert.metrics import TwoByTwo, above, tot, two_by_two
from obvert.metrics.sides import Differences, differences, which_side
from obvert.tasks._audit_seen import Seen, key
from obvert.tasks._contrast_scores import Scores

TIE = 1e-6
"""Scores nearer than this are a tie: what the order of a sum leaves in fp32 cosines."""
OUTWEIGHED = "outweighed"
SIDES = ("sees", OUTWEIGHED, "misaligned", "visual-blind", "text-blind", "blind")
"""What can be said of a pair; "outweighed" where both sides differ and meet, but by less than what else sets the scores apart."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Of one picture after the other, whether the right text is chosen."""

    rows: list[int]
    """Which contrast each picture is of."""
    credit: Tensor
    """(Q,) in [0, 1], fractions being ties."""
    margin: Tensor
    """(Q,) the lowest right score less the highest wrong one."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Contrasts two by two."""

    rows: list[int]
    """Which contrasts they are."""
    two: TwoByTwo
    differences: Differences
    sides: list[str]
    """Of each pair one of `SIDES`."""


def choices(seen: Seen, items: Sequence[Contrast]) -> Choices:
    """Which text is right of each picture that could be read; contrasts without pictures have no row."""
    rows, credit, margin = [], [], []
    for row, item in enumerate(items):
        if not seen.has(item):
            continue
        for scores, right in zip(seen.scores(item), item.right, strict=True):
            wrong = [i for i in range(len(item.texts)) if i not in right]
            high, low = scores[None, list(right)], scores[None, wrong]
            rows.append(row)
            credit.append(above(high, low, TIE))
            margin.append(high.amin(1) - low.amax(1))
    empty = torch.zeros(0, dtype=torch.float64)
    return Choices(rows=rows, credit=torch.cat([empty, *credit]), margin=torch.cat([empty, *margin]))


def pairs(seen: Seen, items: Sequence[Contrast]) -> Pairs | None:
    """Judge contrasts two by two; None where fewer than two have a picture of each text."""
    rows = [row for row, item in enumerate(items) if item.crossed and seen.has(item)]
    if len(rows) < 2:
        return None
    return judged(rows, *seen.pairs([items[row] for row in rows]))


def judged(rows: list[int], images: Tensor, texts: Tensor) -> Pairs:
    """Judge pairs two by two: which contrasts they are, and the (N, 2, d) features of their pictures and texts, N >= 2."""
    two = two_by_two(images.double() @ texts.double().transpose(1, 2), TIE)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))  # what lies half the set apart is unrelated
    mixed = differences(texts[order], images[order])
    apart = Differences(**{name: value[order.argsort()] for name, value in vars(mixed).items()})
    told = zip(two.group.tolist(), apart.text.tolist(), apart.image.tolist(), apart.cosine.tolist(), strict=True)
    return Pairs(rows=rows, two=two, differences=apart, sides=[_side(*one) for one in told])


def _side(group: float, text: float, image: float, cosine: float) -> str:
    if group == 1:
        return "sees"
    side = which_side(text, image, cosine)
    return OUTWEIGHED if side == "sees" else side


MAPS: dict[str, recovery.Side] = {"text": "text", "image": "image", "control": "text"}
"""Linear maps by name; the control learns from texts that are exchanged at random."""


def mapped(seen: Seen, items: Sequence[Contrast], lessons: Sequence[Contrast] | None, *, seed: int = 0) -> dict[str, Tensor]:
    """What one linear map brings back.

    Args:
        seen: the features.
        items: N contrasts two by two.
        lessons: pairs that the maps learn from; None cuts the contrasts in two, each half for the other.
        seed: of the halves and the maps.

    Returns:
        {"text", "image" or "control": (N,) group score under a map on that side}; empty where there is too little to learn from.
    """
    images, texts = seen.pairs(items)
    if lessons is None:
        return _halves(items, images, texts, seed)
    taught = [item for item in lessons if item.crossed and seen.has(item)]
    return _mapped(*seen.pairs(taught), images, texts, seed) if len(taught) >= recovery.LEAST else {}


def _mapped(images: Tensor, texts: Tensor, asked: Tensor, told: Tensor, seed: int) -> dict[str, Tensor]:
    """Group scores of pairs under maps that were fitted on others."""
    found = {}
    for name, side in MAPS.items():
        lesson = recovery.exchanged(texts, seed=seed) if name == "control" else texts
        fitted = recovery.fit(images, lesson, side=side, seed=seed)
        found[name] = two_by_two(fitted.scores(asked, told), TIE).group
    return found


def _halves(items: Sequence[Contrast], images: Tensor, texts: Tensor, seed: int) -> dict[str, Tensor]:
    """Each half under maps fitted on the other; what shares a text or a picture, however remotely, stays together."""
    second = torch.from_numpy(halves(items, seed))
    if min(int(second.sum()), int((~second).sum())) < recovery.LEAST:
        return {}
    found = {name: torch.full((len(items),), torch.nan, dtype=torch.float64) for name in MAPS}
    for test in (second, ~second):
        for name, group in _mapped(images[~test], texts[~test], images[test], texts[test], seed).items():
            found[name][test] = group
    return found


def halves(items: Sequence[Contrast], seed: int) -> np.ndarray:
    """Cut contrasts in two halves that share no text and no picture.

    Args:
        items: N contrasts.
        seed: of the order in which groups of contrasts are dealt out.

    Returns:
        (N,) bool, the second half; halves are as even as the groups allow.
    """
    things: dict[Any, int] = {}
    edges = [(row, things.setdefault(name, len(things))) for row, item in enumerate(items) for name in _things(item)]
    size = len(items) + len(things)
    start, end = np.array([(row, len(items) + thing) for row, thing in edges]).T
    _, group = connected_components(coo_array((np.ones(len(edges)), (start, end)), shape=(size, size)), directed=False)
    group = group[: len(items)]
    names, counts = np.unique(group, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    second: set[int] = set()
    sizes = [0, 0]
    for i in order[np.argsort(-counts[order], kind="stable")]:
        smaller = int(sizes[1] < sizes[0])
        sizes[smaller] += int(counts[i])
        if smaller:
            second.add(int(names[i]))
    return np.isin(group, sorted(second))


def _things(item: Contrast) -> list[Any]:
    return [*(("text", text) for text in item.texts), *(("picture", key(picture)) for picture in item.pictures)]


def nearest_to_each_other(seen: Seen, again: Sequence[Contrast]) -> Tensor:
    """(N,) whether the two texts that say the same are nearer to each other than either to the wrong one, ties shared."""
    return tot(_similar(seen, again), TIE)


def _similar(seen: Seen, items: Sequence[Contrast]) -> Tensor:
    """(N, 3) cosines of two right texts and a wrong one: of the right ones, then of each with the wrong one."""
    if not items:
        return torch.zeros(0, 3, dtype=torch.float64)
    one, other, wrong = seen.told(text for item in items for text in item.texts).double().unflatten(0, (-1, 3)).unbind(1)
    return torch.stack([(a * b).sum(1) for a, b in ((one, other), (one, wrong), (other, wrong))], 1)


def false_alarms(seen: Seen, again: Sequence[Contrast]) -> tuple[list[int], Tensor, Tensor]:
    """How often each of two texts that say the same is scored below the wrong one.

    Args:
        seen: the features.
        again: contrasts of two right texts and a wrong one.

    Returns:
        The rows of those with a picture, and of the first and of the second text (N,) 1 for an alarm, a half for a tie.
    """
    rows = [row for row, item in enumerate(again) if seen.has(item)]
    if not rows:
        return [], *torch.zeros(2, 0, dtype=torch.float64)
    scores = torch.stack([seen.scores(again[row])[0] for row in rows])
    first, second = (1 - above(scores[:, i : i + 1], scores[:, 2:], TIE) for i in (0, 1))
    return rows, first, second


def published(seen: Seen, contrasts: ContrastSet) -> Scores:
    """What a benchmark's own measures are taken of."""
    shown = [seen.scores(item) if seen.has(item) else None for item in contrasts.items]
    return Scores(shown=shown, similar=_similar(seen, contrasts.items) if "tot" in contrasts.measures else None)
