"""What an audit asks of the text tower alone, as rows: how far each operator moves a text, and how much order is in it at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from obvert.composition.probes import explained, moved, order_variance, spread
from obvert.core import ObvertError
from obvert.metrics import bootstrap
from obvert.tasks._audit_material import Material, first_of
from obvert.tasks._audit_rows import grouped
from obvert.tasks._audit_seen import Seen

MOVED, ORDER = "how far texts move", "order in texts"
PARAPHRASE = "paraphrase"
SHUFFLED, LEARNED = 200, 2000
"""Texts whose words are shuffled, and texts that the counts of words are regressed on; drawn where there are more."""


def moved_rows(seen: Seen, material: Material) -> list[dict[str, Any]]:
    """How far each operator moves a text, as a share of how far two unrelated ones lie apart, and the same of paraphrases."""
    scale = spread(seen.told(material.captions))
    items = material.contrasts.items
    told = [(*name, [first_of(items[i]) for i in places]) for name, places in grouped(items, range(len(items))).items()]
    again: dict[str, list[tuple[str, str]]] = {}
    for item in material.again.items:
        again.setdefault(item.category, []).append((item.texts[0], item.texts[1]))
    told += [(PARAPHRASE, how, 1, texts) for how, texts in again.items()]
    rows = []
    for operator, atom, depth, texts in told:
        before, after = (seen.told(side) for side in zip(*texts, strict=True))
        ratio, *interval = bootstrap(moved(before, after, scale))
        rows.append(
            {
                "task": MOVED,
                "model": seen.model.card.name,
                "operator": operator,
                "atom": atom,
                "depth": depth,
                "ratio": ratio,
                "ratio_interval": interval,
                "texts": len(texts),
            }
        )
    return rows


def order_row(seen: Seen, captions: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """How much order is in the features of captions; None where there are too few to tell."""
    shuffled, learned = (_drawn(captions, most, seed) for most in (SHUFFLED, LEARNED))
    row: dict[str, Any] = {"task": ORDER, "model": seen.model.card.name}
    row |= dict.fromkeys(("order_variance", "order_variance_interval", "words", "neighbours", "gain"))
    try:
        mean, *interval = bootstrap(order_variance(seen.model.text_features, shuffled, seed=seed))
        row |= {"order_variance": mean, "order_variance_interval": interval}
        features = seen.told(learned)
        words, neighbours = (explained(features, learned, length=length, seed=seed) for length in (1, 2))
        row |= {"words": words, "neighbours": neighbours, "gain": neighbours - words}
    except ObvertError:  # too few different captions
        pass
    return row | {"shuffled": len(shuffled), "learned": len(learned)}


def _drawn(captions: Sequence[str], most: int, seed: int) -> list[str]:
    if len(captions) <= most:
        return list(captions)
    return [captions[i] for i in sorted(np.random.default_rng(seed).permutation(len(captions))[:most])]
