"""Benchmarks as rows: a bag of words against itself, what belongs together, and what has no pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from obvert.core import Contrast, ContrastSet
from obvert.tasks._contrast_scores import Scores, bag_scores, benchmark_rows
from obvert.zoo.counterfactuals import replace
from obvert.zoo.draw import draw
from obvert.zoo.scenes import caption, sample

TOLD = Contrast(texts=("a cat", "a dog"), category="replace")
TIED = Contrast(texts=("a cat sees a dog", "a dog sees a cat"), category="swap")


def named(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["measure"], row["category"]): row for row in rows}


def test_a_bag_of_words_reaches_its_own_ceiling() -> None:
    contrasts = ContrastSet(name="mine", items=[TOLD, TOLD, TOLD, TIED], measures=("macro",))
    rows = benchmark_rows("bag", contrasts, bag_scores(contrasts))
    found = named(rows)
    assert [row["category"] for row in rows] == [
        "replace",
        "swap",
        "all",
        "decidable by words",
        "undecidable by words",
        "plain mean of 2",
    ]
    assert all(row["accuracy"] == row["bag_of_words"] for row in rows)
    assert {name: row["accuracy"] for (_, name), row in found.items()} == {
        "replace": 1,
        "swap": 0.5,
        "all": 0.875,
        "decidable by words": 1,
        "undecidable by words": 0.5,
        "plain mean of 2": 0.75,
    }
    everything = found["macro", "all"]
    assert (everything["ties"], everything["ties_as_wrong"], everything["items"]) == (1, 0.75, 4)
    assert everything["accuracy_interval"][0] < 0.875 < everything["accuracy_interval"][1]
    assert (everything["task"], everything["model"], everything["benchmark"]) == ("benchmark", "bag", "mine")


def test_only_some_categories_may_count_in_the_mean() -> None:
    contrasts = ContrastSet(name="mine", items=[TOLD, TIED], measures=("macro",), averaged=("swap",))
    found = named(benchmark_rows("bag", contrasts, bag_scores(contrasts)))
    assert found["macro", "plain mean of 1"]["accuracy"] == 0.5
    assert found["macro", "plain mean of 1"]["items"] == 1
    shown = [torch.tensor([[0.2, 0.1]]), None]
    unseen = named(benchmark_rows("clip", contrasts, Scores(shown=shown)))
    assert set(unseen) == {("macro", "all"), ("macro", "decidable by words")}  # nothing that counts in the mean could be scored


def test_what_has_no_picture_is_not_counted_and_the_ceiling_is_of_the_same_items() -> None:
    contrasts = ContrastSet(name="mine", items=[TIED, TOLD, TOLD], measures=("macro",))
    shown = [None, torch.tensor([[0.1, 0.2]]), torch.tensor([[0.2, 0.2 + 1e-7]])]
    everything = named(benchmark_rows("clip", contrasts, Scores(shown=shown)))["macro", "all"]
    assert (everything["accuracy"], everything["ties"], everything["items"], everything["bag_of_words"]) == (0.25, 1, 2, 1)
    exact = named(benchmark_rows("clip", contrasts, Scores(shown=shown), tolerance=0))["macro", "all"]
    assert (exact["accuracy"], exact["ties"]) == (0, 0)


def test_without_pictures_the_bag_of_words_stands_alone() -> None:
    contrasts = ContrastSet(name="mine", items=[TOLD, TIED], measures=("macro",))
    for row in benchmark_rows("clip", contrasts, Scores(shown=[None, None])):
        assert row["accuracy"] is row["accuracy_interval"] is row["ties_as_wrong"] is None
        assert row["bag_of_words"] >= 0.5


def test_two_captions_and_a_negative() -> None:
    item = Contrast(texts=("a cat sees a dog", "dogs", "a dog sees a cat"), right=((0, 1),))
    contrasts = ContrastSet(name="pp", items=[item, item], measures=("itt", "tot"))
    similar = torch.tensor([[0.9, 0.5, 0.4], [0.5, 0.5, 0.4]])
    found = named(benchmark_rows("clip", contrasts, Scores(shown=[None, torch.tensor([[0.5, 0.4, 0.3]])], similar=similar)))
    assert (found["itt", "all"]["accuracy"], found["itt", "all"]["items"]) == (1, 1)
    assert found["itt", "all"]["bag_of_words"] == pytest.approx(1 / 3)  # the negative has a right bag too, so all three tie
    assert (found["tot", "all"]["accuracy"], found["tot", "all"]["ties"]) == (0.75, 1)
    assert found["tot", "all"]["bag_of_words"] == 0
    with pytest.raises(ValueError, match="need scores of the texts"):
        benchmark_rows("clip", contrasts, Scores(shown=[None, None]))


def test_what_belongs_together_is_right_together() -> None:
    items = [
        Contrast(texts=(f"a cat {way} a mat", f"a cat {other} a mat")) for way, other in (("on", "under"), ("under", "on")) * 2
    ]
    contrasts = ContrastSet(name="up", items=items, measures=("micro", "pair"), together={"pair": [(0, 1), (2, 3)]})
    good, bad = torch.tensor([[0.2, 0.1]]), torch.tensor([[0.1, 0.2]])
    found = named(benchmark_rows("clip", contrasts, Scores(shown=[good, bad, good, good])))
    assert found["micro", "all"]["accuracy"] == 0.75
    assert (found["pair", "all"]["accuracy"], found["pair", "all"]["items"]) == (0.5, 2)
    found = named(benchmark_rows("clip", contrasts, Scores(shown=[None, good, good, good])))
    assert (found["pair", "all"]["accuracy"], found["pair", "all"]["items"]) == (1, 1)


def test_crossed_items_have_three_scores(clip) -> None:
    rng = np.random.default_rng(3)
    pairs = [(scene, replace(scene, "colour", rng)) for scene in sample(20, 4242)]
    items = [Contrast(texts=(caption(a), caption(b)), right=((0,), (1,)), category="colour") for a, b in pairs]
    contrasts = ContrastSet(name="scenes", items=items, measures=("text", "image", "group"))
    pictures = clip.image_features(list(draw([scene for pair in pairs for scene in pair]).float() / 255))
    texts = clip.text_features([text for item in items for text in item.texts])
    shown = list(pictures.view(-1, 2, clip.dimension) @ texts.view(-1, 2, clip.dimension).transpose(1, 2))
    found = named(benchmark_rows(clip.card.name, contrasts, Scores(shown=shown)))
    assert 0.8 <= found["group", "all"]["accuracy"] <= found["text", "all"]["accuracy"] <= 1
    assert found["group", "all"]["bag_of_words"] == found["image", "all"]["bag_of_words"] == 1
