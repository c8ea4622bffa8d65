"""The invertibility experiments: a run in miniature, the measures by hand, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from obvert.cli import main
from obvert.core import ObvertError, Reader
from obvert.metrics import spectrum_slope
from obvert.models import load_reader
from obvert.parametrisations.free import Free
from obvert.report import Curves
from obvert.tasks import _invertibility_readers as readers
from obvert.tasks._inverted import as_file
from obvert.tasks._invertibility_writers import shared_words
from obvert.tasks._judges import Judges
from obvert.tasks.invertibility import CHOSEN_ON, READERS, WRITERS, Size, kinds, of_kinds
from obvert.tasks.reading import distance
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


def mute(name: str) -> Reader:
    """A reader of the zoo that says nothing: what it would read of noise is long."""
    return replace(load_reader(name, device="cpu"), generate=lambda x: ["nothing"] * len(x))


@pytest.mark.parametrize("name", READERS)
def test_noise_is_the_very_point_where_the_naive_search_starts(name: str) -> None:
    model = mute(name)
    noise, moved = (readers.search(model, readers.NAIVE, ["a red circle"], k, 0, None, lambda label: None) for k in (0, 1))
    assert torch.equal(noise.media, moved.way[0])
    assert not torch.equal(noise.media, moved.media)
    torch.testing.assert_close(noise.media, model.back(Free().start(model.features, 1, 0)))  # N(0, 1) of what the network takes


def test_the_row_of_noise_is_judged_at_that_point() -> None:
    model = mute(READERS[0])
    real = torch.rand(4, *model.medium.shape, generator=torch.Generator().manual_seed(0))
    targets, steps = ["a red circle", "a blue star"], dict.fromkeys(readers.PRESETS, 0) | {readers.NAIVE: 1}
    how: dict[str, Any] = {"steps": steps, "seeds": 2, "run": None, "progress": lambda label: None}
    rows, blocks = readers.compete(model, Judges(real=list(real)), targets, lambda seed: real[:2], **how)
    noise = [row for row in rows if row["features"] == readers.NOISE]
    assert [row["seed"] for row in noise] == [0, 1]
    for seed, row in enumerate(noise):
        start = as_file(model.back(Free().start(model.features, 2, seed)), "picture")
        assert row["slope"] == pytest.approx(spectrum_slope(start).mean().item())
        assert row["distance"] == pytest.approx(distance(start, list(real), None).mean().item())
    (way,) = [block for block in blocks if isinstance(block, Curves) and block.title == f"Distance, {model.card.name}"]
    first, last = way.series[readers.NAIVE][1]
    assert first == noise[0]["distance"] != last


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
