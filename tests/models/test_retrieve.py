"""Retrieval from the command line with a model that has no projection matrices."""

import json
from pathlib import Path

import tiny
from PIL import Image

from obvert.cli import main
from obvert.zoo.draw import draw
from obvert.zoo.scenes import sample


def test_by_default_a_model_without_projections_is_searched_without_isoclip(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "pictures"
    for i, picture in enumerate(draw(sample(6, 1, things=1))):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / "ab"[i % 2] / f"{i}.png")
    model = str(tiny.write_siglip(tmp_path / "siglip"))
    command = ["retrieve", "--model", model, "--images", str(folder), "--steps", "1"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert "isoclip is left out" in capsys.readouterr().err
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    assert {row["features"] for row in rows if row["task"] == "image-to-image"} == {"native", "oti", "text-pca", "mean"}
    assert main([*command, "--by", "native,isoclip", "--out", str(tmp_path / "other")]) == 2
    assert "projection" in capsys.readouterr().err.strip().splitlines()[-1]
