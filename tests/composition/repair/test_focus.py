"""What a model errs on is drawn more, in numbers known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from obvert.composition.repair.focus import ASKED, FLOOR, odds
from obvert.composition.repair.images import CachedImages
from obvert.composition.repair.lessons import Lesson, Lessons

EYE = torch.eye(4)


@dataclass(frozen=True)
class Table:
    """A model that knows its texts by heart."""

    texts: dict[str, Tensor]

    def text_features(self, texts: list[str]) -> Tensor:
        return torch.stack([self.texts[text] for text in texts])


SAYS = {"a": EYE[0], "b": EYE[1], "c": EYE[2], "blind": EYE[3], "blind too": EYE[3], "like a": EYE[0], "like b": EYE[1]}
MODEL = cast(Any, Table(SAYS))
PAIR = Lesson(texts=("a", "b"), pictures=(0, 1), category="sees")
BLIND = Lesson(texts=("blind", "blind too"), pictures=(0, 1), category="blind")


def shares(*items: Lesson) -> dict[str, float]:
    return odds(MODEL, Lessons(images=CachedImages(features=EYE), items=items), seed=0)


def test_what_a_model_cannot_tell_is_drawn_most() -> None:
    assert shares(PAIR, BLIND) == pytest.approx({"sees": FLOOR / (1 + FLOOR), "blind": 1 / (1 + FLOOR)})
    assert shares(BLIND, Lesson(texts=("b", "a"), pictures=(0, 1), category="reversed"))["reversed"] == pytest.approx(0.5)


def test_one_side_suffices_to_err() -> None:
    near = Lesson(texts=("a", "like a"), pictures=(0, 0), category="same picture")
    both = Lesson(texts=("a", "c"), pictures=(0, 1), category="one text")  # the second picture is as near to neither
    assert shares(near, PAIR)["same picture"] > 0.8
    assert shares(both, PAIR)["one text"] > 0.8


def test_texts_that_are_wrong_of_the_first_picture_are_not_asked_of_the_second() -> None:
    told = Lesson(texts=("a", "b"), pictures=(0, 1), wrong=(("like b", 1),), category="told")
    tied = Lesson(texts=("a",), pictures=(0,), wrong=(("like a", 1), ("c", 1)), category="tied")
    second = Lesson(texts=("a", "b"), pictures=(0, 2), wrong=(("c", 1),), category="second")
    found = shares(told, tied)
    assert found["tied"] == pytest.approx(1 / (1 + FLOOR))
    assert shares(told, second)["told"] == pytest.approx(FLOOR / (1 + FLOOR))  # b is not nearer to picture 2 than a is


def test_a_sample_of_many_is_asked_the_same_each_time() -> None:
    many = [PAIR] * (2 * ASKED) + [Lesson(texts=("blind", "b"), pictures=(0, 1), category="sees")] * (2 * ASKED)
    found = shares(*many, BLIND)
    assert found == shares(*many, BLIND)
    assert 0.25 < found["sees"] < 0.42
    assert np.isclose(sum(found.values()), 1)
