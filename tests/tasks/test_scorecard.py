"""The scorecard: its measures by hand, a run in miniature on each kind of model, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from obvert.cli import main
from obvert.core import ObvertError
from obvert.tasks.scorecard import Size, scorecard, spread


def test_spread_by_hand() -> None:
    media = torch.arange(2.0).view(2, 1, 1, 1, 1).expand(2, 1, 3, 4, 4)  # two targets, one apart
    assert spread([media, media]) == 0
    assert spread([media, media + 1]) == pytest.approx(1)
    assert spread([media, media + 0.5]) == pytest.approx(0.5)
    assert spread([media[:1].expand(2, -1, -1, -1, -1), media[1:].expand(2, -1, -1, -1, -1)]) == float("inf")


@pytest.mark.parametrize("model", ["zoo/captioner", "zoo/speech-recogniser", "zoo/speech-synthesiser"])
def test_a_run_in_miniature(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["scorecard", model, "--target", "a red circle", "a blue star", "--steps", "2", "--judges", "", "--json"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["preset"] for row in rows] == ["naive", "regularised"]
    assert all(row["seed spread"] >= 0 for row in rows)
    if model == "zoo/speech-synthesiser":
        assert [row["reachability"] for row in rows] == [None, None]  # nobody listens
        assert rows[1]["legibility"] == pytest.approx(1, abs=1e-4)
        assert rows[0]["legibility"] < 0.6
    else:
        assert all(0 <= row["reachability"] <= 1 for row in rows)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Scorecard of" in page
    assert page.count("\nwanted<") == (4 if model == "zoo/speech-synthesiser" else 0)  # two targets under two presets


def test_bad_input_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scorecard", "zoo/clip", "--out", str(tmp_path / "run")]) == 2
    assert "need a model that reads or writes" in capsys.readouterr().err
    assert main(["scorecard", "zoo/captioner", "--target", "a red circle", "--judges", "", "--out", str(tmp_path / "run")]) == 2
    assert "need 2 targets or more" in capsys.readouterr().err
    with pytest.raises(ObvertError, match="need a step or more and 2 seeds or more"):
        Size(seeds=1)
    with pytest.raises(ObvertError, match="need 2 targets or more"):
        scorecard([], ["one"], judges=[])
    with pytest.raises(ObvertError, match="need texts of a word or more"):
        scorecard([], ["one", " "], judges=[])
