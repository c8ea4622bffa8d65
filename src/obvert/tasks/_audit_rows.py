"""An audit as rows: by operator, atom and depth, with intervals, ties, and what a perfect bag of words would reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import comb
from typing import Any

import torch
from torch import Tensor

from obvert.composition.bag import bag_decidable, ceiling
from obvert.composition.operators import OPERATORS
from obvert.core import Contrast, ContrastSet
from obvert.metrics import bootstrap, by_category, macro, tally, wilson
from obvert.tasks._audit_answers import MAPS, SIDES, Choices, Pairs

ACCURACY, PAIRS, RECOVERED, PARAPHRASES = "which text is right", "two by two", "recoverability", "paraphrases"
DECIDABLE, UNDECIDABLE = "decidable by words", "undecidable by words"
CHANCE = 1 / 6
"""Group score of scores at random."""
Cell = tuple[str, str, int | None]
"""Operator, atom and depth."""
WHOLE: Cell = ("all", "micro", None)


def blind_chance(items: Sequence[Contrast]) -> float:
    """How often scores at random put every right text of a picture above every wrong one: a mean over pictures."""
    chances = [1 / comb(len(item.texts), len(right)) for item in items for right in item.right]
    return sum(chances) / len(chances)


def cell(item: Contrast) -> Cell:
    """What was done to the right text."""
    return item.operator or item.category or "any", item.atom, item.depth


def label(of: Cell) -> str:
    """What was done, in words."""
    operator, atom, depth = of
    return f"{operator} {depth} atoms" if depth and depth > 1 else f"{operator} {atom}".strip()


def grouped(items: Sequence[Contrast], rows: Iterable[int]) -> dict[Cell, list[int]]:
    """Places in `rows` by what was done to the contrast there: swaps, replacements, additions, others; by depth within each."""
    found: dict[Cell, list[int]] = {}
    for place, row in enumerate(rows):
        found.setdefault(cell(items[row]), []).append(place)
    order = {operator: i for i, operator in enumerate(OPERATORS)}
    return dict(sorted(found.items(), key=lambda entry: (order.get(entry[0][0], len(order)), entry[0][2] or 0)))


def accuracy_rows(model: str, contrasts: ContrastSet, found: Choices) -> list[dict[str, Any]]:
    """Of each picture, whether the right text is chosen: by operator, atom and depth, of all, macro, and split by bags."""
    items = contrasts.items
    if not found.rows:
        return []
    asked = [replace(items[row], right=(right,)) for row, right in _questions(items, found.rows)]
    limit = ceiling(asked)
    decidable = torch.tensor([bag_decidable(item) for item in asked])

    def told(name: Cell, places: Sequence[int]) -> dict[str, Any]:
        credit = found.credit[places]
        pictures, contrasted = len(places), len({found.rows[place] for place in places})
        mean = credit.mean().item()
        return {
            "task": ACCURACY,
            "model": model,
            "operator": name[0],
            "atom": name[1],
            "depth": name[2],
            "accuracy": mean,
            "accuracy_interval": list(wilson(mean * contrasted, contrasted)),
            "bag_of_words": limit[places].mean().item(),
            "ties": int(((credit > 0) & (credit < 1)).sum()),
            "ties_as_wrong": (credit == 1).double().mean().item(),
            "pictures": pictures,
            "contrasts": contrasted,
        }

    rows = [told(name, places) for name, places in grouped(items, found.rows).items()]
    whole = list(range(len(found.rows)))
    rows.append(told(WHOLE, whole))
    means = _macro(contrasts, found, whole)
    if means:
        rows.append(rows[-1] | {"atom": "macro"} | means | {"bag_of_words": _plain_mean(contrasts, found, limit)})
    for name, mask in ((DECIDABLE, decidable), (UNDECIDABLE, ~decidable)):
        if mask.any():
            rows.append(told(("all", name, None), mask.nonzero().flatten().tolist()))
    return rows


def _questions(items: Sequence[Contrast], rows: Sequence[int]) -> list[tuple[int, tuple[int, ...]]]:
    """Of each picture asked about, its contrast and which texts are right of it."""
    return [(row, right) for row in dict.fromkeys(rows) for right in items[row].right]


def _categories(contrasts: ContrastSet, found: Choices) -> list[str]:
    return [contrasts.items[row].category for row in found.rows]


def _macro(contrasts: ContrastSet, found: Choices, whole: Sequence[int]) -> dict[str, Any]:
    tallies = by_category(found.credit, _categories(contrasts, found))
    kept = {name: one for name, one in tallies.items() if contrasts.averaged is None or name in contrasts.averaged}
    if len(kept) < 2:
        return {}
    mean = macro(kept)
    return {"accuracy": mean.accuracy, "accuracy_interval": list(mean.interval), "ties_as_wrong": mean.strict}


def _plain_mean(contrasts: ContrastSet, found: Choices, limit: Tensor) -> float:
    tallies = by_category(limit, _categories(contrasts, found))
    return macro({k: v for k, v in tallies.items() if contrasts.averaged is None or k in contrasts.averaged}).accuracy


def pair_rows(model: str, items: Sequence[Contrast], found: Pairs) -> list[dict[str, Any]]:
    """Pairs two by two: scores, how far both sides move, and which of them fails."""
    limit = ceiling([items[row] for row in found.rows])

    def told(name: Cell, places: list[int]) -> dict[str, Any]:
        group = tally(found.two.group[places])
        sides = Counter(found.sides[place] for place in places)
        mean, *interval = bootstrap(found.two.interaction[places])
        apart = found.differences
        return {
            "task": PAIRS,
            "model": model,
            "operator": name[0],
            "atom": name[1],
            "depth": name[2],
            "verdict": verdict(sides),
            "text": found.two.text[places].mean().item(),
            "image": found.two.image[places].mean().item(),
            "group": group.accuracy,
            "group_interval": list(group.interval),
            "bag_of_words": limit[places].mean().item(),
            "ties": group.ties,
            "interaction": mean,
            "interaction_interval": interval,
            "texts_differ": apart.text[places].square().mean().sqrt().item(),
            "pictures_differ": apart.image[places].square().mean().sqrt().item(),
            "they_meet": apart.cosine[places].mean().item(),
            **{side.replace("-", "_"): sides[side] / len(places) for side in SIDES},
            "pairs": len(places),
        }

    cells = grouped(items, found.rows)
    whole = told(WHOLE, list(range(len(found.rows))))
    rows = [*(told(name, places) for name, places in cells.items()), whole]
    if len(cells) > 1:
        mean = macro({label(name): tally(found.two.group[places]) for name, places in cells.items()})
        limits = [row["bag_of_words"] for row in rows[:-1]]
        means = {"group": mean.accuracy, "group_interval": list(mean.interval), "bag_of_words": sum(limits) / len(limits)}
        rows.append({key: whole[key] for key in ("task", "model", "operator", "depth", "pairs")} | {"atom": "macro"} | means)
    return rows


def verdict(sides: Counter[str]) -> str:
    """Of a kind of pairs: sees, where half of them are seen or more; otherwise why most of the others are not."""
    if 2 * sides["sees"] >= sides.total():
        return "sees"
    return max(SIDES[1:], key=lambda side: sides[side])


def recovered_rows(model: str, items: Sequence[Contrast], found: Pairs, mapped: dict[str, Tensor]) -> list[dict[str, Any]]:
    """Group scores under one linear map on a side, fitted on other pairs, beside those without."""
    if not mapped:
        return []
    cells: dict[Cell, list[int]] = {**grouped(items, found.rows), WHOLE: list(range(len(found.rows)))}
    rows = []
    for (operator, atom, depth), places in cells.items():
        native = found.two.group[places]
        row: dict[str, Any] = {"task": RECOVERED, "model": model, "operator": operator, "atom": atom, "depth": depth}
        row["native"] = native.mean().item()
        for name in MAPS:
            gain, *interval = bootstrap(mapped[name][places] - native)
            row[f"{name}_map"] = mapped[name][places].mean().item()
            row |= {f"{name}_gain": gain, f"{name}_gain_interval": interval}
        rows.append(row | {"pairs": len(places)})
    return rows


def paraphrase_rows(
    model: str, again: Sequence[Contrast], alarms: tuple[list[int], Tensor, Tensor], nearer: Tensor
) -> list[dict[str, Any]]:
    """Texts that say the same: how often the wrong text is scored above the second of them, and how often they are nearest."""
    if not again:
        return []
    rows, first, second = alarms
    found = []
    for how in dict.fromkeys(item.category for item in again):
        mine = {row for row, item in enumerate(again) if item.category == how}
        shown = [place for place, row in enumerate(rows) if row in mine]
        near = tally(nearer[sorted(mine)])
        alarm = tally(second[shown]) if shown else None
        found.append(
            {
                "task": PARAPHRASES,
                "model": model,
                "said_again": how,
                "false_alarms": alarm.accuracy if alarm else None,
                "false_alarms_interval": list(alarm.interval) if alarm else None,
                "of_the_first": first[shown].mean().item() if shown else None,
                "nearest_to_each_other": near.accuracy,
                "nearest_to_each_other_interval": list(near.interval),
                "contrasts": len(mine),
            }
        )
    return found
