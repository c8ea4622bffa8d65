"""The page of a repair: before and after by operator, what it cost, how far it went, and both models two by two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from obvert.composition.repair.tune import TERMS, Repair
from obvert.core import DualEncoder
from obvert.report import Block, Curves, Dots, Report, Table, Text
from obvert.tasks._audit_page import tables
from obvert.tasks._audit_rows import CHANCE, PAIRS, label
from obvert.tasks._repair_course import Course
from obvert.tasks._repair_exam import SHOT, TASK
from obvert.tasks.repair import CHOICE, Repaired
from obvert.tasks.search import meta

WINDOW = 50
"""Steps whose losses are averaged for a point of a curve."""


def report(model: DualEncoder, course: Course, method: Repair, found: Repaired) -> Report:
    """The page.

    Args:
        model: that was repaired.
        course: what it was taught and examined on.
        method: how.
        found: what came of it.

    Returns:
        The report.
    """
    results = [row for row in found.rows if row["task"] == TASK]
    shots = [row for row in found.rows if row["task"] == SHOT]
    crossed = all(item.crossed for item in course.test.items)
    both = {"before": "before_interval", "after": "after_interval", "gain": "gain_interval"}
    blocks: list[Block] = [
        _dots([row for row in results if row["operator"] != "all"], crossed),
        Table(title="Before and after", rows=results, columns=[*COLUMNS], intervals=both, note=SCORE if crossed else CHOSEN),
        Table(
            title=f"Zero-shot: {course.test.shots.told}",
            rows=shots,
            columns=["before", "after", "gain", "pictures"],
            intervals=both,
        ),
        _shares([row for row in found.rows if row["task"] == CHOICE]),
        _losses(found),
        *tables([row for row in found.rows if row["task"] == PAIRS]),
        Text(title="What was learned from, and what was asked", lines=_material(course)),
    ]
    return Report(
        title=f"{model.card.name}, repaired",
        lead=lead(model.card.name, results[-1], shots[0], found.share, crossed),
        blocks=blocks,
        rows=found.rows,
        meta=meta(model, method.seed) | {"repair": asdict(method), "share": found.share, "material": course.name},
        warnings=list(course.warnings),
    )


def lead(name: str, whole: dict[str, Any], shot: dict[str, Any], share: float, crossed: bool) -> str:
    """The main finding."""
    score = "group score" if crossed else "score"
    if share == 0:
        return f"Nothing that was learned helped {name} on the validation part; its weights are as they were."
    return (
        f"The {score} of {name} goes from {whole['before']:.1%} to {whole['after']:.1%} (plain mean over operators and atoms), "
        f"its zero-shot accuracy from {shot['before']:.1%} to {shot['after']:.1%}, with {share:.0%} of the change of its weights."
    )


def _dots(rows: Sequence[dict[str, Any]], crossed: bool) -> Dots:
    return Dots(
        title="Before and after, by operator and atom",
        labels=[label((row["operator"], row["atom"], row["depth"])) for row in rows],
        series={when: [row[when] for row in rows] for when in ("before", "after")},
        intervals={when: [tuple(row[f"{when}_interval"]) for row in rows] for when in ("before", "after")},
        lines={"chance": CHANCE} if crossed else {},
        note=SCORE if crossed else CHOSEN,
    )


def _shares(tried: Sequence[dict[str, Any]]) -> Curves:
    shares = [row["share"] for row in tried]
    return Curves(
        title="How far to go",
        x_label="share of the change of the weights",
        y_label="on the validation part",
        series={name: (shares, [row[key] for row in tried]) for name, key in (("score", "score"), ("zero-shot", "zero_shot"))},
        marks={"chosen": next(row["share"] for row in tried if row["chosen"])},
    )


def _losses(found: Repaired) -> Curves:
    blocks = found.terms.split(WINDOW)
    steps = [min((i + 1) * WINDOW, len(found.terms)) for i in range(len(blocks))]
    means = [block.mean(0).tolist() for block in blocks]
    return Curves(
        title="Terms of the loss, unweighted",
        x_label="step",
        y_label=f"mean of {WINDOW} steps",
        series={name: (steps, [mean[i] for mean in means]) for i, name in enumerate(TERMS)},
    )


def _material(course: Course) -> list[str]:
    lessons, test = course.lessons, course.test
    told = (
        f"{len(lessons.items):,} lessons, {lessons.crossed:,} of them real pairs, two by two; {len(course.validation.items):,} "
        f"contrasts to choose the share on, {len(test.items):,} to test."
    )
    return [told, UNSEEN] if course.name == "Scenes" else [told]


COLUMNS = ("operator", "atom", "before", "after", "gain", "contrasts")
SCORE = (
    "Group score: both texts choose their picture and both pictures their text; ties count their chance, 1/6. Wilson's intervals."
)
CHOSEN = (
    "Contrasts with two pictures count their group score, others whether the right text is chosen; ties count their chance. "
    "Wilson's intervals."
)
UNSEEN = (
    "The test asks for unseen arrangements: colours and shapes of two things of which the repair has seen no scene together, "
    "whoever has which, or shapes in a row or a column in which it has seen no scene. Its own training may have seen them."
)
