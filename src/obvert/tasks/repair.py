"""Repair a dual encoder: tune it, choose how far to go, and say what was won and what it cost.

The share of the new weights is chosen on a validation part: the best score of those whose zero-shot loss stays within what is
allowed. The test is looked at once, with the share that was chosen.

References:
    | CLoVe (Castro et al., 2024), https://arxiv.org/abs/2402.15021
    | Robust fine-tuning of zero-shot models (Wortsman et al., 2021), https://arxiv.org/abs/2109.01903
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from obvert.composition.repair.tune import Repair
from obvert.core import DualEncoder, ImageTower, ObvertError, Progress, Tunable, Tuning
from obvert.store import Run
from obvert.tasks._audit_answers import judged
from obvert.tasks._audit_rows import pair_rows
from obvert.tasks._repair_course import Course
from obvert.tasks._repair_exam import Exam, Marks, rows, sit

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the new weights that are tried."""
CHOICE = "share of the new weights"


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """What came of a repair."""

    tuning: Tuning
    """The model, at the share that was chosen."""
    share: float
    terms: Tensor
    """(steps, terms) of the loss along the way."""
    rows: list[dict[str, Any]]
    """Before and after; the shares that were tried; both models two by two, as an audit has it."""


def tunable(model: DualEncoder, rank: int | None, image_tower: ImageTower | None = None) -> Tunable:
    """The model, when it can be tuned with changes of that rank; ObvertError otherwise."""
    if not isinstance(model, Tunable):
        raise ObvertError(f"need a CLIP, SigLIP or OpenCLIP to tune, got {model.card.name}")
    model.tuning(rank, image_tower=image_tower or "frozen")
    return model


def repair(
    model: Tunable,
    course: Course,
    method: Repair,
    *,
    allowed: float = 0.02,
    run: Run | None = None,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> Repaired:
    """Repair a model.

    Args:
        model: stays as it is.
        course: what it is taught and examined on.
        method: how.
        allowed: zero-shot accuracy that the validation part may lose, in [0, 1].
        run: where finished pieces are kept.
        progress: gives a progress callback for a name.

    Returns:
        The repaired model with its results.

    Raises:
        ObvertError: for an allowance out of range.
    """
    if not 0 <= allowed <= 1:
        raise ObvertError(f"need a zero-shot loss in [0, 1] that is allowed, got {allowed}")
    tuning, terms = method(model, course.lessons, run=run, progress=progress("repair"))
    watch, tried = progress("shares"), []
    for i, share in enumerate(SHARES):
        part = tuning.interpolated(share)
        marks = sit(course.validation, part)
        tried.append({"task": CHOICE, "share": share, "score": marks.score, "zero_shot": marks.zero_shot})
        if watch:
            watch(i + 1, len(SHARES), 1 - marks.score)
    share = choose(tried, allowed)
    chosen = tuning.interpolated(share)
    before, after = sit(course.test, tuning.interpolated(0.0)), sit(course.test, chosen)
    found = rows(course.test, before, after, model.card.name)
    for row in tried:
        row["chosen"] = row["share"] == share
    for name, marks in ((model.card.name, before), (f"{model.card.name}, repaired", after)):
        found += _two_by_two(name, course.test, marks)
    return Repaired(tuning=chosen, share=share, terms=terms, rows=found + tried)


def choose(tried: Sequence[dict[str, Any]], allowed: float) -> float:
    """The share with the best score among those that lose no more than is allowed; the smallest of equals."""
    limit = tried[0]["zero_shot"] - allowed - 1e-9
    best = max((row for row in tried if row["zero_shot"] >= limit), key=lambda row: (row["score"], -row["share"]))
    return float(best["share"])


def _two_by_two(name: str, exam: Exam, marks: Marks) -> list[dict[str, Any]]:
    """The real pairs of an exam, as an audit tells of them."""
    crossed = [row for row, item in enumerate(exam.items) if item.crossed and len(marks.images[row]) == 2]
    if len(crossed) < 2:
        return []
    images = torch.stack([marks.images[row] for row in crossed])
    texts = torch.stack([torch.stack([marks.features[text] for text in exam.items[row].texts]) for row in crossed])
    return pair_rows(name, exam.items, judged(crossed, images, texts))
