"""Searching toys whose answers are counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from obvert.core import Judged, ObvertError, PictureSet, TextSet
from obvert.tasks._apply import Applied
from obvert.tasks.retrieval import (
    Outcome,
    all_against_all,
    as_split,
    check_classes,
    examples,
    first_against_rest,
    judge,
    similarities,
    step_curve,
    table,
)


def circle(*degrees: float) -> torch.Tensor:
    """Unit features in the plane."""
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack((angles.cos(), angles.sin()), 1)


FEATURES = circle(0, 10, 30, 180)
LABELS = torch.tensor([0, 1, 0, 1])
"""By nearness: 0 finds 1, 2, 3; 1 finds 0, 2, 3; 2 finds 1, 0, 3; 3 finds 2, 1, 0."""


def native(collection) -> Outcome:
    features = collection.features
    applied = Applied(
        name="native", queries=features[collection.query_rows], gallery=features[collection.gallery_rows], seconds=0.0
    )
    return judge(applied, collection, task="toy", model="none")


def test_all_against_all_by_hand() -> None:
    found = native(all_against_all(FEATURES, LABELS))
    torch.testing.assert_close(found.scores["map"].float(), torch.tensor([1 / 2, 1 / 3, 1 / 2, 1 / 2]))
    assert found.row["map"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 1 / 2) / 4)
    assert found.row["recall_at_1"] == 0
    assert (found.row["queries"], found.row["gallery"], found.row["undefined_queries"]) == (4, 4, 0)
    low, high = found.row["map_interval"]
    assert 1 / 3 <= low <= found.row["map"] <= high <= 1 / 2


def test_a_class_with_one_picture_is_left_out_of_the_mean() -> None:
    found = native(all_against_all(FEATURES, torch.tensor([0, 1, 0, 2])))
    assert found.scores["map"].isnan().tolist() == [False, True, False, True]
    assert found.row["undefined_queries"] == 2
    assert found.row["map"] == pytest.approx(1 / 2)


def test_the_first_of_each_group_searches_the_rest() -> None:
    collection = first_against_rest(circle(0, 90, 5, 95, 100), torch.tensor([4, 1, 4, 1, 4]))
    assert collection.query_rows.tolist() == [0, 1]
    assert collection.gallery_rows.tolist() == [2, 3, 4]
    assert collection.self_index is None
    found = native(collection)
    torch.testing.assert_close(found.scores["map"].float(), torch.tensor([(1 + 2 / 3) / 2, 1.0]))
    with pytest.raises(ObvertError, match="at least two captions"):
        first_against_rest(FEATURES, torch.arange(4))


def test_a_step_curve_is_the_map_at_each_step() -> None:
    collection = all_against_all(FEATURES, LABELS)
    good = circle(0, 180, 0, 180)
    steps, values = step_curve({10: good, 0: FEATURES}, collection)
    assert steps == [0, 10]
    assert values[0] == pytest.approx(native(collection).row["map"])
    assert values[1] > values[0]


def test_similarities_are_cosines_of_random_pairs() -> None:
    collection = all_against_all(FEATURES, LABELS)
    inverted = Applied(name="oti", queries=-FEATURES, gallery=FEATURES, seconds=0.0)
    outcome = judge(inverted, collection, task="toy", model="none")
    shown = similarities([native(collection), outcome], collection, circle(0, 0), pairs=500).series
    assert list(shown) == ["image–image", "OTI–image", "text–image"]
    possible = (FEATURES @ FEATURES.T).flatten()
    for name, sign in (("image–image", 1), ("OTI–image", -1)):
        values = sign * torch.tensor(shown[name])
        assert len(values) == 500
        assert (values[:, None] - possible).abs().min(1).values.max() < 1e-6
    assert set(torch.tensor(shown["text–image"]).mul(100).round().int().tolist()) == {100, 98, 87, -100}


def test_examples_show_the_nearest_without_the_query() -> None:
    collection = all_against_all(FEATURES, LABELS)
    shown = examples([native(collection)], collection, show=lambda i: i, label=lambda i: f"picture {i}", count=2, top=2)
    assert [row.query for row in shown.queries] == [0, 3]
    assert shown.queries[0].results["native"] == [(1, "picture 1", False), (2, "picture 2", True)]
    assert shown.queries[1].results["native"] == [(2, "picture 2", False), (1, "picture 1", True)]


def test_the_gain_of_a_perfect_map_is_whole() -> None:
    collection = all_against_all(normalize(torch.randn(40, 16), dim=1), torch.arange(40) % 4)
    perfect = torch.eye(4)[collection.labels]
    row = judge(Applied(name="mean", queries=perfect, gallery=perfect, seconds=0.5), collection, task="toy", model="none").row
    assert row["map"] == row["map_at_r"] == row["r_precision"] == row["recall_at_1"] == 1
    assert row["seconds_per_query"] == 0.5
    assert math.isclose(row["map_interval"][0], 1)


@pytest.mark.parametrize(
    ("labels", "queries", "gallery", "told"),
    [([0, 1, 2], None, None, "two readable"), ([0, 0, 1], [0, 1], [2], "in both"), ([0, 0, 1], [], [2], "in both")],
)
def test_a_set_in_which_nothing_is_relevant_is_refused(labels, queries, gallery, told: str) -> None:
    data = PictureSet(paths=[Path("x")] * 3, labels=labels, classes=["a", "b", "c"], queries=queries, gallery=gallery)
    with pytest.raises(ObvertError, match=told):
        as_split(data, FEATURES[:3])


def test_a_class_of_one_picture_is_refused_unless_allowed() -> None:
    data = PictureSet(paths=[Path("x")] * 4, labels=[0, 0, 1, 2], classes=["a", "lone", "other"])
    with pytest.raises(ObvertError, match="got one of 'lone' and 1 more: nothing to find"):
        check_classes(data, allow_single=False)
    check_classes(data, allow_single=True)
    check_classes(replace(data, labels=[0, 0, 1, 1]), allow_single=False)


def test_texts_with_a_gallery_of_their_own() -> None:
    data = TextSet(texts=["t"] * 4, groups=[0, 1, 0, 1], queries=[0, 1], gallery=[2, 3])
    found = native(as_split(data, FEATURES))
    torch.testing.assert_close(found.scores["map"].float(), torch.tensor([1.0, 1 / 2]))  # 30 degrees is nearer than 180 to both
    itself = native(as_split(replace(data, queries=[0, 1, 2, 3], gallery=[0, 1, 2, 3]), FEATURES))
    assert itself.row["map"] == native(all_against_all(FEATURES, LABELS)).row["map"]
    with pytest.raises(ObvertError, match="in both queries and gallery"):
        as_split(replace(data, groups=[0, 0, 1, 1]), FEATURES)


def test_levels_are_judged_each_by_its_lists() -> None:
    levels = {
        "strict": Judged(relevant=[[2], []], junk=[[1], [0]]),
        "loose": Judged(relevant=[[2, 3], [3]], junk=[[], [2]], trapezoidal=True),
    }
    data = TextSet(texts=["t"] * 4, groups=[0] * 4, queries=[0, 1], gallery=[1, 2, 3], judged=levels)
    collection = as_split(data, FEATURES)
    assert collection.levels == ("strict", "loose")
    applied = Applied(name="native", queries=FEATURES[:2], gallery=FEATURES[1:], seconds=0.0)
    strict, loose = (judge(applied, collection, task="toy", level=level, model="none") for level in collection.levels)
    assert [o.row["task"] for o in (strict, loose)] == ["toy, strict", "toy, loose"]
    # Row 1 is junk for query 0, and as a query is not in its own ranking.
    assert strict.scores["map"][0] == 1
    assert strict.scores["map"][1].isnan()
    torch.testing.assert_close(loose.scores["map"].float(), torch.tensor([((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2) / 2, 1.0]))
    assert [collection.verdict(0, row) for row in (1, 2, 3)] == [None, True, False]
    shown = table([strict, loose], "")
    assert shown.heads()[:3] == ["task", "features", "map"]
    with pytest.raises(ObvertError, match="something relevant in the gallery"):
        as_split(replace(data, judged={"": Judged(relevant=[[0], []], junk=[[], []])}), FEATURES)
