"""Rows of several seeds: their means with intervals, and what they say of a claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from obvert.report import Table

KEYS = ("task", "model", "features")
"""What tells one kind of row from another."""
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Two-sided 95 % quantiles of Student's t for so many seeds."""


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean over seeds with its 95 % t-interval; three times the mean where one seed leaves no interval.

    Args:
        values: one a seed, 1 to 10.

    Returns:
        Mean, low end, high end.
    """
    mean = fmean(values)
    if len(values) < 2:
        return mean, mean, mean
    half = STUDENT[len(values)] * stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def summarise(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each task, model and feature map: means over seeds, with intervals beside them.

    Args:
        rows: one for each seed, with "seed"; numbers are averaged, the rest is taken from the first.

    Returns:
        Rows in the order of their first appearance, with "seeds" and "NAME_interval" for each float NAME.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in KEYS), []).append(row)
    found = []
    for members in groups.values():
        first = {k: v for k, v in members[0].items() if k != "seed" and not k.endswith("_interval")}
        for name, value in list(first.items()):
            values = [row[name] for row in members if row.get(name) is not None]
            if isinstance(value, float) and values:
                mean, low, high = interval(values)
                first[name] = mean
                if len(values) > 1 and name not in ("seconds_per_query", "steps"):
                    first[f"{name}_interval"] = [low, high]
        found.append(first | {"seeds": len(members)})
    return found


def means(rows: Sequence[dict[str, Any]], task: str, measures: Sequence[str], note: str) -> Table:
    """The table of a task, contestant by contestant.

    Args:
        rows: as `summarise` gives them, of any tasks.
        task: whose rows are shown; its title.
        measures: columns; those that no row has are left out.
        note: under the table.

    Returns:
        The table, with intervals.
    """
    mine = [row for row in rows if row["task"] == task]
    columns = [name for name in measures if any(row.get(name) is not None for row in mine)]
    intervals = {name: f"{name}_interval" for name in columns}
    return Table(title=task.capitalize(), rows=mine, columns=["features", *columns], intervals=intervals, note=note)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement of the paper and what was found."""

    text: str
    published: str
    """The numbers behind it."""
    values: Sequence[float]
    """Found here, one a seed; the claim is about their sign."""
    positive: bool = True
    """Whether the claim is that they lie above 0, rather than below."""

    def row(self) -> dict[str, Any]:
        """For the table of claims: the difference with its interval, and whether the claim holds here."""
        mean, low, high = interval(self.values)
        sure = len(self.values) > 1 and (low > 0 or high < 0)
        verdict = "unclear" if not sure else "yes" if (mean > 0) == self.positive else "no, the opposite"
        return {
            "claim": self.text,
            "published": self.published,
            "here": mean,
            "here_interval": [low, high],
            "holds here": verdict,
        }


def differences(
    rows: Sequence[dict[str, Any]], task: str, one: str, other: str, measure: str = "map", model: str | None = None
) -> list[float]:
    """Paired differences over seeds, `one` minus `other`, of two feature maps in a task.

    Args:
        rows: one for each seed.
        task: of both.
        one: name of a feature map.
        other: name of another.
        measure: what is compared.
        model: of both; any when None.

    Returns:
        One number a seed.
    """

    def of(name: str) -> dict[int, float]:
        mine = (row for row in rows if row["task"] == task and row["features"] == name and model in (None, row["model"]))
        return {row["seed"]: row[measure] for row in mine}

    a, b = of(one), of(other)
    return [a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]
