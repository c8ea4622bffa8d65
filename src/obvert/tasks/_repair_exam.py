"""The examination of a repair: contrasts by operator and atom, and what is left of zero-shot recognition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from obvert.composition.repair.images import CachedImages
from obvert.core import Contrast, Tuning
from obvert.metrics import above, bootstrap, by_category, macro, tally, two_by_two
from obvert.tasks._audit_answers import TIE

TASK, SHOT = "repair", "zero-shot"
TEXTS = 256
"""Texts encoded at a time."""


@dataclass(frozen=True, kw_only=True)
class Shots:
    """Images for zero-shot recognition."""

    classes: Sequence[str]
    """Texts of the classes."""
    images: CachedImages
    labels: Tensor
    """(N,) which text belongs to each."""
    told: str
    """What it is, in words."""

    def half(self, start: int) -> Shots:
        """Every other image."""
        return replace(self, images=self.images.part(range(start, len(self.images), 2)), labels=self.labels[start::2])


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What is asked, the pictures encoded already."""

    items: Sequence[Contrast]
    """Texts and what is right of which picture."""
    rows: Sequence[Sequence[int]]
    """Of each contrast its images."""
    images: CachedImages
    shots: Shots

    def texts(self) -> list[str]:
        """Every different text that is asked about."""
        return list(dict.fromkeys([text for item in self.items for text in item.texts] + list(self.shots.classes)))


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What a model answers."""

    credit: Tensor
    """(N,) what each contrast counts, in [0, 1]: its group score where it is crossed, else whether the right text is chosen."""
    right: Tensor
    """(M,) bool, whether each picture of the zero-shot part is given its text."""
    features: dict[str, Tensor]
    """Of each text."""
    images: list[Tensor]
    """Of the pictures of each contrast."""
    score: float
    """Plain mean over categories of the mean credit."""

    @property
    def zero_shot(self) -> float:
        """Accuracy of the zero-shot part."""
        return self.right.double().mean().item()


@torch.no_grad()
def sit(exam: Exam, tuning: Tuning) -> Marks:
    """Ask a model; products of fp32 features are taken in float64.

    Args:
        exam: what is asked.
        tuning: the model.

    Returns:
        The answers.
    """
    texts = exam.texts()
    told = torch.cat([tuning.features(texts[i : i + TEXTS]).cpu() for i in range(0, len(texts), TEXTS)])
    features = dict(zip(texts, told, strict=True))
    seen = exam.images.under(tuning)
    images = [seen[list(rows)] for rows in exam.rows]
    credit = torch.stack([_credit(item, images, features) for item, images in zip(exam.items, images, strict=True)])
    classes = torch.stack([features[text] for text in exam.shots.classes])
    said = (exam.shots.images.under(tuning).double() @ classes.double().T).argmax(1)
    score = macro(by_category(credit, [item.category for item in exam.items])).accuracy
    return Marks(credit=credit, right=said == exam.shots.labels, features=features, images=images, score=score)


def _credit(item: Contrast, images: Tensor, features: dict[str, Tensor]) -> Tensor:
    scores = images.double() @ torch.stack([features[text] for text in item.texts]).double().T
    if item.crossed and len(images) == 2:
        return two_by_two(scores[None], TIE).group[0]
    parts = []
    for one, right in zip(scores, item.right, strict=False):
        wrong = [i for i in range(len(item.texts)) if i not in right]
        parts.append(above(one[None, list(right)], one[None, wrong], TIE)[0])
    return torch.stack(parts).prod()


def rows(exam: Exam, before: Marks, after: Marks, model: str) -> list[dict[str, Any]]:
    """Before and after, by category, their plain mean, and the zero-shot part; Wilson's intervals, of gains the bootstrap's."""
    names = [item.category for item in exam.items]
    old, new = by_category(before.credit, names), by_category(after.credit, names)
    found = []
    for name in old:
        places = [i for i, one in enumerate(names) if one == name]
        item = exam.items[places[0]]
        gain, *interval = bootstrap(after.credit[places] - before.credit[places])
        about = {"task": TASK, "model": model, "operator": item.operator or name, "atom": item.atom, "depth": item.depth}
        scores = {"before": old[name].accuracy, "before_interval": list(old[name].interval)}
        scores |= {"after": new[name].accuracy, "after_interval": list(new[name].interval)}
        found.append(about | scores | {"gain": gain, "gain_interval": interval, "contrasts": old[name].count})
    one, other = macro(old), macro(new)
    whole: dict[str, Any] = {"task": TASK, "model": model, "operator": "all", "atom": "macro", "depth": None}
    whole |= {"before": one.accuracy, "before_interval": list(one.interval)}
    whole |= {"after": other.accuracy, "after_interval": list(other.interval), "gain": other.accuracy - one.accuracy}
    found.append(whole | {"contrasts": len(names)})
    seen, now = tally(before.right.double()), tally(after.right.double())
    gain, *interval = bootstrap(after.right.double() - before.right.double())
    shot: dict[str, Any] = {"task": SHOT, "model": model, "classes": len(exam.shots.classes), "pictures": len(exam.shots.labels)}
    shot |= {"before": seen.accuracy, "before_interval": list(seen.interval)}
    return [*found, shot | {"after": now.accuracy, "after_interval": list(now.interval), "gain": gain, "gain_interval": interval}]
