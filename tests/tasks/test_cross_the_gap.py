"""The experiments of Cross the Gap in small: every row is there, and what must hold by construction does."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from obvert.core import ObvertError
from obvert.features.inverter import Inverter
from obvert.tasks import _gap_control, _gap_pictures, _gap_texts, _signs, distil
from obvert.tasks._gap_world import Bench, World, along, peak, see
from obvert.tasks.cross_the_gap import CHOSEN, PUBLISHED, Size, judge

BENCH = Bench(pictures=128, seeds=1, run=None, progress=lambda name: None)


@pytest.fixture(scope="module")
def world(clip) -> World:
    return see(clip, 0, 128)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gap_pictures, "CURVE", (0, 2, 4))
    monkeypatch.setattr(_gap_texts, "CURVE", (0, 2, 3))
    monkeypatch.setattr(distil, "Inverter", partial(Inverter, hidden=16, steps=20))


def test_the_split_shares_no_scene(world: World) -> None:
    other = see(world.model, 1, 128)
    assert world.validation.features.shape == world.test.features.shape == (128, 64)
    for f in (world.validation.features, other.test.features):
        assert (f @ world.test.features.T).max() < 0.99999


def test_pictures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from obvert.tasks import _auto

    monkeypatch.setattr(_auto, "CURVES", {"oti": (2, 4)})
    monkeypatch.setattr(_auto, "TOKENS", (1,))
    monkeypatch.setattr(_gap_pictures, "learn", partial(_gap_pictures.learn, count=64))
    swept = _gap_pictures.sweep(world, BENCH, tokens=(1,))
    assert set(swept.at["test", 1]) == {0, 2, 4}
    assert swept.best[1] == peak(swept.curves["validation", 1])
    rows, learned = _gap_pictures.search(world, swept, BENCH)
    found = {row["features"]: row for row in rows}
    assert {"native", PUBLISHED, CHOSEN, "inverter", "auto", "text-pca, chosen", "native + oti, scores"} <= set(found)
    same = [found[f"native + inverter, {kind}"]["map"] for kind in ("scores", "features")]
    assert same[0] == pytest.approx(same[1], abs=1e-6)
    assert learned.queries_only
    assert found["auto"]["map"] >= found["native"]["map"] - 0.05
    classes = _gap_pictures.recognise(world, swept)
    assert len(classes) == 3 * (1 + len(_gap_pictures.SHOTS))
    by_shots = [row["accuracy"] for row in classes if row["features"] == "native" and "few" in row["task"]]
    assert by_shots[-1] > by_shots[0]
    toys = _gap_pictures.toy(world, swept, BENCH)
    assert {row["features"] for row in toys} == {"native", PUBLISHED, CHOSEN}
    assert 0 < toys[0]["violations"] < 0.5
    assert len(_gap_pictures.curve_blocks(world, swept)) == 2
    assert {claim.text for claim in judge([*rows, *classes, *toys], []) if claim.values}


def test_texts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gap_texts, "learn", partial(_gap_texts.learn, scenes=16))
    rows, curves = _gap_texts.texts(world, BENCH, patches=(1,))
    names = [row["features"] for row in rows]
    assert names[:3] == ["native", "ovi P=1, 3 steps", "ovi P=1, chosen step"]
    assert curves["P = 1"][0] == [0.0, 2.0, 3.0]
    assert all(row["queries"] == 21 and row["gallery"] == 63 for row in rows)


def test_the_control_has_no_text_and_knows_less(world: World) -> None:
    rows = {row["features"]: row for row in _gap_control.indicators(world)}
    assert list(rows) == ["zoo/clip", "pixels, no training", "its image tower before training"]
    assert rows["zoo/clip"]["violations"] < rows["pixels, no training"]["violations"]
    assert 0 <= rows["zoo/clip"]["unrelated pictures closer than the right name"] <= 1
    perfect = _signs.signs(torch.eye(2)[torch.arange(8) % 2], torch.arange(8) % 2)
    assert (perfect["map"], perfect["violations"]) == (1, 0)


def test_snapshots_come_by_step(world: World) -> None:
    import obvert

    at, found = along(obvert.OTI(steps=2, snapshots=(1, 2)), world.model, world.test.features[:3], "x", BENCH, 0)
    assert set(at) == {1, 2}
    assert torch.equal(at[2], found["features"])


@pytest.mark.parametrize("wrong", [{"pictures": 10}, {"seeds": 1}, {"training_steps": 0}])
def test_a_size_that_is_none_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ObvertError, match="need 128 pictures"):
        Size(**wrong)
