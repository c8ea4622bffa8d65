"""How often lessons of each category are drawn: as often as the model errs on them before it is tuned.

    odds(c)  ~  max(floor, share of lessons of c that are told wrong)

A real pair is told right when each text is nearer to its own picture and each picture to its own text; a picture with wrong texts
when its own text is nearest. Ties are wrong: what a model cannot tell at all is drawn most. The floor keeps what it knows.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from obvert.composition.repair.lessons import Lesson, Lessons
from obvert.core import DualEncoder

FLOOR = 0.1
ASKED = 128
"""Lessons of each category that are asked, as far as there are as many."""


def odds(model: DualEncoder, lessons: Lessons, seed: int) -> dict[str, float]:
    """How often each category is to be drawn.

    Args:
        model: before it is tuned.
        lessons: the features of their images are the model's.
        seed: of the lessons asked.

    Returns:
        Category -> probability; they add up to 1.
    """
    rng = np.random.default_rng(seed)
    asked = {name: [lessons.items[i] for i in rng.permutation(rows)[:ASKED]] for name, rows in lessons.by_category.items()}
    texts = list(dict.fromkeys(text for many in asked.values() for one in many for text in _texts(one)))
    with torch.no_grad():
        features = dict(zip(texts, model.text_features(texts).cpu(), strict=True))
    images = lessons.images.features.cpu()
    wrong = {name: max(FLOOR, float(np.mean([_wrong(one, features, images) for one in many]))) for name, many in asked.items()}
    return {name: share / sum(wrong.values()) for name, share in wrong.items()}


def even(lessons: Lessons) -> dict[str, float]:
    """Every category as often."""
    return dict.fromkeys(lessons.by_category, 1 / len(lessons.by_category))


def _texts(one: Lesson) -> list[str]:
    return [*one.texts, *(text for text, _ in one.wrong)]


def _wrong(one: Lesson, features: dict[str, Tensor], images: Tensor) -> bool:
    scores = images[list(one.pictures)] @ torch.stack([features[text] for text in _texts(one)]).T
    own = scores.diagonal()
    others = scores.clone()
    others.fill_diagonal_(-torch.inf)
    others[1:, len(one.texts) :] = -torch.inf  # further texts are wrong of the first picture
    nearest = others.amax(1)
    if one.crossed:
        nearest = torch.maximum(nearest, others[:, :2].amax(0))
    return bool((own <= nearest).any())
