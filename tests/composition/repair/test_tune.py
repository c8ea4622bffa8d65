"""The training of a repair: what it draws, that it learns, that it goes on as if never interrupted, that the model stays."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.composition.repair.images import CachedImages
from obvert.composition.repair.lessons import Lesson, Lessons
from obvert.composition.repair.tune import TERMS, Repair, image_tower_of, share
from obvert.core import ObvertError, Tuning
from obvert.store import Run
from obvert.zoo.exam import pictures
from obvert.zoo.scenes import sample

TEXTS = ["a red circle left of a blue square", "a blue square left of a red circle"]
QUICK = Repair(rank=2, steps=20, batch=4, lr=1e-2, seed=1)


@pytest.fixture(scope="module")
def lessons(clip: Any) -> Lessons:
    """Two pictures that only their text's order tells apart, and a picture with texts that are wrong of it."""
    shown = pictures(sample(3, 1))
    items = [
        Lesson(texts=tuple(TEXTS), pictures=(0, 1), again=("a photo of a red circle left of a blue square",), category="swap"),
        Lesson(texts=("a green star",), pictures=(2,), wrong=(("a green moon", 1), ("a red moon", 2)), category="replace"),
    ]
    images = CachedImages(features=clip.image_features(shown), load=lambda rows: [shown[row] for row in rows])
    return Lessons(images=images, items=items, kept=["a red circle", "a picture of a blue ring"])


def weights(tuning: Tuning) -> Tensor:
    return torch.cat([p.detach().flatten() for p in tuning.parameters().values()])


def margin(lessons: Lessons, features: Tensor) -> float:
    return float(((lessons.images.features[0] - lessons.images.features[1]) * (features[0] - features[1])).sum())


@pytest.mark.parametrize("rank", [2, None])
def test_it_learns_what_only_the_order_tells(clip: Any, lessons: Lessons, rank: int | None) -> None:
    before = {name: weight.clone() for name, weight in clip.parameters().items()}
    tuning, terms = replace(QUICK, rank=rank)(clip, lessons)
    assert terms.shape == (20, len(TERMS))
    assert terms.isfinite().all()
    assert terms[-5:, 4].mean() < terms[:5, 4].mean()
    assert margin(lessons, tuning.features(TEXTS).detach()) > margin(lessons, clip.text_features(TEXTS))
    assert all(torch.equal(weight, before[name]) for name, weight in clip.parameters().items())


def test_pictures_are_mapped_where_the_image_tower_ends_in_a_matrix(clip: Any, lessons: Lessons) -> None:
    assert image_tower_of(clip) == "map"
    features = lessons.images.features
    for told, mapped in ((None, True), ("map", True), ("frozen", False)):
        tuning, _ = replace(QUICK, steps=2, image_tower=told)(clip, lessons)
        assert ("images" in tuning.parameters()) == mapped
        assert torch.equal(tuning.from_features(features), features) != mapped
        assert torch.equal(lessons.images.under(tuning), tuning.from_features(features).detach())


def test_an_image_tower_that_is_tuned_sees_the_images_anew(clip: Any, lessons: Lessons) -> None:
    features = lessons.images.features
    tuning, terms = replace(QUICK, image_tower="tuned")(clip, lessons)
    assert terms[-5:, 4].mean() < terms[:5, 4].mean()
    seen = lessons.images.under(tuning)
    assert (seen - features).norm(dim=1).min() > 1e-3
    torch.testing.assert_close(lessons.images.under(tuning.interpolated(0.0)), features, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(lessons.images.seen(tuning, [2, 0, 2]).detach(), seen[[2, 0, 2]], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(lessons.images.part([1, 2]).under(tuning), seen[1:], rtol=1e-4, atol=1e-5)
    with pytest.raises(ObvertError, match="need the images themselves"):
        replace(QUICK, image_tower="tuned")(clip, replace(lessons, images=CachedImages(features=features)))


def test_an_interrupted_training_ends_where_it_would_have(
    clip: Any, lessons: Lessons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("obvert.composition.repair.tune.BLOCK", 6)
    whole, terms = QUICK(clip, lessons)

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        QUICK(clip, lessons, run=Run(tmp_path / "run", {}), progress=stop)
    seen: list[int] = []
    again, same = QUICK(clip, lessons, run=Run(tmp_path / "run", {}), progress=lambda step, steps, loss: seen.append(step))
    assert seen == list(range(13, 21))
    assert torch.equal(weights(again), weights(whole))
    assert torch.equal(same, terms)


def test_a_heavy_keep_holds_the_texts_that_are_kept(clip: Any, lessons: Lessons) -> None:
    moved, far = [], normalize(torch.randn(3, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    lessons = replace(lessons, images=CachedImages(features=far))  # what is wanted lies far from what the model says
    for weight in (0.0, 1000.0):
        tuning, _ = replace(QUICK, keep=weight)(clip, lessons)
        moved.append((tuning.features(lessons.kept) - clip.text_features(lessons.kept)).norm(dim=1).mean().item())
    assert moved[1] < 0.5 * moved[0]


def test_draws_are_even_over_categories_and_by_depth(lessons: Lessons) -> None:
    rng = np.random.default_rng(0)
    many = replace(lessons, items=[*[lessons.items[0]] * 9, lessons.items[1]])
    batch = many.batch(rng, 400, depth=1, wrong=4)
    single = sum(not one.crossed for one in batch.lessons)
    assert 150 < single < 250
    assert len(batch.texts) == len(batch.pictures) == len(batch.hard) == 800 - single
    assert len(batch.pairs) == 400 - single
    assert {text for mine in batch.hard for text in mine} == {*TEXTS, "a green moon"}
    deep = many.batch(rng, 50, depth=2, wrong=4)
    assert "a red moon" in {text for mine in deep.hard for text in mine}
    assert all(deep.texts[at : at + 2] == TEXTS for at in deep.pairs)


def test_where_nothing_is_as_near_the_nearest_negatives_are_taken() -> None:
    far = Lesson(texts=("a",), pictures=(0,), wrong=(("b", 3), ("c", 4)))
    batch = Lessons(images=CachedImages(features=torch.eye(2)), items=[far]).batch(np.random.default_rng(0), 3, depth=1, wrong=4)
    assert batch.hard == [["b"]] * 3
    assert batch.kept == []


def test_the_step_size_rises_and_falls() -> None:
    sizes = [share(step, 100) for step in range(100)]
    assert sizes.index(max(sizes)) == 4
    assert all(a >= b for a, b in pairwise(sizes[4:]))
    assert 0.02 <= sizes[-1] < 0.03


@pytest.mark.parametrize(
    "wrong", [{"rank": 0}, {"steps": 0}, {"batch": 0}, {"lr": 0.0}, {"tau": 0.0}, {"keep": -1.0}, {"seed": -1}, {"depth": 0}]
)
def test_wrong_numbers_are_told_in_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(ObvertError, match="need rank"):
        Repair(**wrong)


def test_nothing_to_learn_from_is_told_in_one_line() -> None:
    for items, told in (
        ([], "one or two texts"),
        ([Lesson(texts=("a", "b"), pictures=(0,))], "one or two texts"),
        ([Lesson(texts=("a",), pictures=(0,))], "need real pairs or texts that are wrong"),
    ):
        with pytest.raises(ObvertError, match=told):
            Lessons(images=CachedImages(features=torch.eye(2)), items=items)
