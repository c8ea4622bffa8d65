"""A benchmark as its publishers report it, from a model's scores, beside what a perfect bag of words reaches.

Each measure says what an item counts; a row is its mean over a category, or over all:

    micro, macro, itt   all right texts above all wrong ones, of each picture
    text, image, group  of crossed items, see `obvert.metrics.two_by_two`
    tot                 the texts alone: two right ones nearer to each other than either to the wrong one
    a name of together  all items of a group right

The bag of words goes through the same measures with scores of its own: the ideal ones, and for tot the lexical ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from obvert.composition.bag import bag_decidable, ideal_scores, overlaps
from obvert.core import ContrastSet
from obvert.metrics import Macro, Tally, by_category, chosen, macro, tally, tot, two_by_two

BENCHMARK = "benchmark"
CROSSED = ("text", "image", "group")
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a model gave the items of a benchmark."""

    shown: Sequence[Tensor | None]
    """Of each item (P, T), its pictures by its texts; None where there is no picture, or none that could be read."""
    similar: Tensor | None = None
    """(N, 3) cosines of texts as `obvert.metrics.tot` takes them; None where items are not of three texts."""


def bag_scores(contrasts: ContrastSet) -> Scores:
    """What a perfect bag of words gives, pictures at hand or not."""
    similar = overlaps(contrasts.items) if "tot" in contrasts.measures else None
    return Scores(shown=[ideal_scores(item) for item in contrasts.items], similar=similar)


def counts(contrasts: ContrastSet, measure: str, scores: Scores, tolerance: float) -> tuple[list[int], Tensor]:
    """What items count by one measure.

    Args:
        contrasts: the benchmark.
        measure: one of its measures.
        scores: of a model, or of `bag_scores`.
        tolerance: as in `obvert.metrics.above`.

    Returns:
        Rows of the items that could be scored, the first of each group where groups count, and (M,) what each counts.
    """
    if measure == "tot":
        return list(range(len(contrasts.items))), tot(_given(scores.similar), tolerance)
    rows = [row for row, shown in enumerate(scores.shown) if shown is not None]
    shown = [_given(scores.shown[row]) for row in rows]
    if measure in CROSSED:
        two = two_by_two(torch.stack(shown) if shown else torch.zeros(0, 2, 2), tolerance)
        return rows, vars(two)[measure]
    credit = chosen(shown, [contrasts.items[row].right for row in rows], tolerance)
    if measure not in contrasts.together:
        return rows, credit
    place = {row: i for i, row in enumerate(rows)}
    groups = [group for group in contrasts.together[measure] if all(row in place for row in group)]
    whole = [credit[[place[row] for row in group]].prod() for group in groups]
    return [group[0] for group in groups], torch.tensor(whole, dtype=torch.float64)


def benchmark_rows(model: str, contrasts: ContrastSet, scores: Scores, *, tolerance: float = 1e-6) -> list[dict[str, Any]]:
    """A benchmark's measures as rows.

    Args:
        model: its name.
        contrasts: the benchmark.
        scores: of its items.
        tolerance: scores that differ by no more are tied; 1e-6 is what the order of a sum leaves in fp32 cosines.

    Returns:
        Of each measure a row of each category, of all, of what words decide and do not decide, and of the plain mean over
        categories where its publishers take one; each with its interval, ties, and what a perfect bag of words reaches on
        the same items. A measure that needs pictures which are not there has the bag of words alone.
    """
    bag = bag_scores(contrasts)
    found = []
    for measure in contrasts.measures:
        told = {"task": BENCHMARK, "model": model, "benchmark": contrasts.name, "measure": measure}
        rows, credit = counts(contrasts, measure, scores, tolerance)
        of_bag, limit = counts(contrasts, measure, bag, 0.0)
        if rows:
            place = {row: i for i, row in enumerate(of_bag)}
            limit = limit[[place[row] for row in rows]]
        found += [told | row for row in _parts(contrasts, rows or of_bag, credit if rows else None, limit, measure)]
    return found


def _parts(contrasts: ContrastSet, rows: list[int], credit: Tensor | None, limit: Tensor, measure: str) -> list[dict[str, Any]]:
    """Rows by category, of all, of both halves, and the plain mean."""
    items = [contrasts.items[row] for row in rows]
    names = [item.category for item in items]
    limits = by_category(limit, names)
    tallies = None if credit is None else by_category(credit, names)
    found = [_told(name, tallies[name] if tallies else None, of) for name, of in limits.items()] if len(limits) > 1 else []
    decidable = torch.tensor([bag_decidable(item) for item in items])
    halves = {ALL: torch.ones_like(decidable), "decidable by words": decidable, "undecidable by words": ~decidable}
    for name, mask in halves.items():
        if mask.any():
            found.append(_told(name, None if credit is None else tally(credit[mask]), tally(limit[mask])))
    kept = [name for name in limits if contrasts.averaged is None or name in contrasts.averaged]
    if measure == "macro" and kept:
        mean = None if tallies is None else macro({name: tallies[name] for name in kept})
        of = macro({name: limits[name] for name in kept})
        found.append(_told(f"plain mean of {len(kept)}", mean, of) | {"items": sum(limits[name].count for name in kept)})
    return found


def _told(name: str, found: Tally | Macro | None, limit: Tally | Macro) -> dict[str, Any]:
    return {
        "category": name,
        "accuracy": found and found.accuracy,
        "accuracy_interval": found and list(found.interval),
        "ties": found.ties if isinstance(found, Tally) else None,
        "ties_as_wrong": found and found.strict,
        "bag_of_words": limit.accuracy,
        "items": limit.count if isinstance(limit, Tally) else None,
    }


def _given(scores: Tensor | None) -> Tensor:
    if scores is None:
        raise ValueError("need scores of the texts with each other, got none")
    return scores
