"""obvert edit on tiny random pipelines in diffusers' own classes, and on one that is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_pipelines
from PIL import Image

from obvert.cli import main


@pytest.mark.parametrize("kind", ["stable_diffusion", "stable_diffusion_3"])
def test_a_pipeline_of_diffusers_edits(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"t5": False} if kind == "stable_diffusion_3" else {}
    getattr(tiny_pipelines, kind)(tmp_path / "model", **more)
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "one.png")
    argv = ["edit", "--model", str(tmp_path / "model"), "--source", "a red circle", "--target", "a blue circle"]
    assert main([*argv, "--steps", "5", "--out", str(tmp_path / "out"), "--json", str(tmp_path / "one.png")]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["target"] == "a blue circle"
    for what in ("edited", "reconstructed"):
        with Image.open(tmp_path / "out" / f"one-{what}.png") as image:
            assert image.size == (8, 8)


@pytest.mark.parametrize(
    ("model", "said"),
    [("zoo/no-such", "unknown model 'zoo/no-such'"), ("zoo/vae", "need a text-to-image pipeline such as zoo/diffusion")],
)
def test_a_model_that_is_none_is_told_in_one_line(
    model: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    argv = ["edit", "--model", model, "--source", "a", "--target", "b", "--out", str(tmp_path / "out")]
    assert main([*argv, str(tmp_path / "one.png")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
