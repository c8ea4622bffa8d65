"""The invertibility experiments: a run in miniature, the measures by hand, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from obvert.cli import main
from obvert.core import ObvertError
from obvert.tasks._invertibility_writers import shared_words
from obvert.tasks.invertibility import CHOSEN_ON, READERS, WRITERS, Size, kinds, of_kinds
from obvert.zoo.scenes import COLOURS, SHAPES


def test_targets_are_single_things_in_turn() -> None:
    found = kinds(20)
    assert found[0] == "an orange square"
    assert not set(found) & set(CHOSEN_ON)
    assert len(set(found)) == 20
    assert {text.split()[1] for text in found} == set(COLOURS)
    assert {text.split()[2] for text in found} == set(SHAPES)


def test_real_scenes_show_their_targets_and_seeds_show_others() -> None:
    targets = kinds(3)
    scenes = of_kinds(targets, 0)
    assert [(s.things[0].colour, s.things[0].shape) for s in scenes] == [tuple(text.split()[1:]) for text in targets]
    assert scenes != of_kinds(targets, 1)


def test_shared_words_by_hand() -> None:
    assert shared_words("a red circle", "a red circle") == 1
    assert shared_words("red red moon", "a red circle") == pytest.approx(2 / 5)
    assert shared_words("moon", "a red circle") == 0


@pytest.mark.parametrize("wrong", [{"targets": 1}, {"seeds": 1}, {"steps": 0}])
def test_sizes_that_say_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ObvertError, match="need 2 targets or more, 2 to 10 seeds and a step or more"):
        Size(**wrong)


def test_a_run_in_miniature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["paper", "invertibility", "--targets", "2", "--seeds", "2", "--steps", "1", "--json", "--out", str(tmp_path / "run")]
    assert main(argv) == 0
    claims = json.loads(capsys.readouterr().out)
    assert all(claim["holds here"] in ("yes", "unclear", "no, the opposite") for claim in claims)
    assert {claim["features"].split(":")[0] for claim in claims} == {*READERS, *WRITERS}
    rows = json.loads((tmp_path / "run" / "report.json").read_text())["rows"]
    by = {(row["task"], row["features"]): row for row in rows if row["task"] != "claims"}
    assert by["readings of zoo/captioner", "data"]["match"] > by["readings of zoo/captioner", "noise"]["match"]
    assert by["readings of zoo/captioner", "data"]["distance"] < by["readings of zoo/captioner", "noise"]["distance"]
    true = by["prompts of zoo/diffusion", "true prompt"]
    assert true["legibility"] == pytest.approx(1, abs=1e-4)
    assert true["words_found"] == 1
    assert by["prompts of zoo/diffusion", "naive"]["legibility"] < 0.3
    blocks = json.loads((tmp_path / "run" / "report.json").read_text())["blocks"]
    near = [block for block in blocks if block.get("title", "").startswith("Nearest words of")]
    for name in ("true prompt", "naive", "regularised"):
        assert any(f", {name}, zoo/diffusion" in block["title"] for block in near)
    assert all({"place", "1", "5"} <= row.keys() for block in near for row in block["rows"])
    assert len(near) >= 3
