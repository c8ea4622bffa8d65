"""Means over seeds by hand, and what an interval says of a claim."""

from __future__ import annotations

import math

import pytest

from obvert.tasks._claims import Claim, differences, interval, summarise


def test_the_interval_by_hand() -> None:
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert high - mean == pytest.approx(4.303 / math.sqrt(3))
    assert mean - low == pytest.approx(high - mean)
    assert interval([0.5]) == (0.5, 0.5, 0.5)


def row(seed: int, features: str, value: float, **more: object) -> dict[str, object]:
    return {"task": "t", "model": "m", "features": features, "seed": seed, "map": value, "queries": 7} | more


def test_rows_are_averaged_by_kind() -> None:
    found = summarise([row(0, "a", 0.1), row(0, "b", 0.5), row(1, "a", 0.3), row(1, "b", 0.5)])
    assert [(r["features"], r["map"], r["seeds"], r["queries"]) for r in found] == [
        ("a", pytest.approx(0.2), 2, 7),
        ("b", 0.5, 2, 7),
    ]
    assert found[1]["map_interval"] == [0.5, 0.5]
    assert "seed" not in found[0]


def test_differences_are_paired_by_seed() -> None:
    rows = [row(1, "a", 0.6), row(0, "a", 0.4), row(0, "b", 0.1), row(1, "b", 0.2), row(2, "a", 1.0)]
    assert differences(rows, "t", "a", "b") == pytest.approx([0.3, 0.4])
    assert differences(rows, "t", "a", "b", model="other") == []


@pytest.mark.parametrize(
    ("values", "positive", "verdict"),
    [
        ([0.1, 0.11, 0.12], True, "yes"),
        ([-0.1, -0.11, -0.12], True, "no, the opposite"),
        ([-0.1, -0.11, -0.12], False, "yes"),
        ([-0.1, 0.1, 0.12], True, "unclear"),
        ([0.4], True, "unclear"),
    ],
)
def test_a_claim_holds_when_its_interval_leaves_zero_out(values: list[float], positive: bool, verdict: str) -> None:
    found = Claim(text="a", published="b", values=values, positive=positive).row()
    assert found["holds here"] == verdict
    assert found["here_interval"][0] <= found["here"] <= found["here_interval"][1]
