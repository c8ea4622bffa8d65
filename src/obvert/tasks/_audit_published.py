"""A benchmark as its publishers score it: their measures, with ties told apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from obvert.core import ContrastSet
from obvert.metrics import macro, tally
from obvert.metrics.contrast import by_category
from obvert.tasks._audit_answers import Pairs
from obvert.tasks._audit_compare import Scores

PUBLISHED = "as published"


def published_rows(contrasts: ContrastSet, scores: Scores, pairs: Pairs | None, nearer: Tensor) -> list[dict[str, Any]]:
    """The measures that a benchmark's publishers report.

    Args:
        contrasts: the benchmark.
        scores: what each item counts.
        pairs: those two by two, if there are any.
        nearer: (M,) of its items with three texts, whether the first two are nearest to each other.

    Returns:
        A row a measure: its value with ties as `obvert.metrics.above` shares them, and the value where a tie is wrong.
    """
    there = ~scores.choice.isnan()
    credit = {"micro": scores.choice[there], "itt": scores.choice[there], "tot": nearer}
    if pairs:
        credit |= {name: getattr(pairs.two, name) for name in ("text", "image", "group")}
    for name, sets in contrasts.together.items():
        whole = [rows for rows in sets if there[list(rows)].all()]
        credit[name] = torch.stack([scores.choice[list(rows)].prod() for rows in whole]) if whole else torch.zeros(0)
    rows = []
    for measure in contrasts.measures:
        told: dict[str, Any] = {}
        if measure == "macro" and there.any():
            names = [item.category for item, asked in zip(contrasts.items, there.tolist(), strict=True) if asked]
            tallies = by_category(scores.choice[there], names)
            kept = {k: v for k, v in tallies.items() if contrasts.averaged is None or k in contrasts.averaged}
            if kept:
                mean = macro(kept)
                told = {"value": mean.accuracy, "value_interval": list(mean.interval), "ties_as_wrong": mean.strict}
                told["of"] = len(kept)
        elif len(credit.get(measure, ())):
            one = tally(credit[measure])
            told = {"value": one.accuracy, "value_interval": list(one.interval), "ties_as_wrong": one.strict, "of": one.count}
        if told:
            rows.append({"task": PUBLISHED, "model": scores.model, "measure": measure, **told})
    return rows
