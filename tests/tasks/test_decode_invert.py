"""The command decode-invert on a tiny AutoencoderKL: files, JSON, going on, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import obvert.models  # before diffusers  # noqa: F401
from obvert.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An AutoencoderKL with factor 2."""
    from diffusers import AutoencoderKL

    path = tmp_path_factory.mktemp("vae")
    AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=2,
    ).save_pretrained(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """An RGB picture of odd size, a grey one, one with transparency."""
    rng = np.random.default_rng(0)
    made = {"odd.png": (9, 7, 3), "grey.png": (8, 8), "clear.png": (8, 8, 4)}
    for name, shape in made.items():
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(tmp_path / name)
    return [str(tmp_path / name) for name in made]


@pytest.mark.filterwarnings("default::UserWarning")
def test_pictures_become_latents_files_and_rows(
    folder: Path, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["decode-invert", "--model", str(folder), "--out", str(out), "--max-steps", "4", "--json"]
    assert main([*argv, "--solver", "forward", *pictures]) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert "padded to 10 x 8" in said.err
    assert [row["picture"] for row in rows] == ["odd", "grey", "clear"]
    assert {"pixel_residual_db", "evaluations", "seconds", "status"} <= set(rows[0])
    latents = load_file(out / "latents.safetensors")
    assert latents["odd"].shape == (2, 5, 4)
    with Image.open(out / "odd-decoded.png") as image:
        assert image.size == (7, 9)
    assert (out / "grey-error.png").exists()
    assert "Before and after" in (out / "report.html").read_text()
    assert main([*argv, *pictures]) == 2
    assert "holds another run" in capsys.readouterr().err
    assert main([*argv, "--overwrite", "--gradient", "--solver", "forward", pictures[1]]) == 2
    assert "need --gradient or --solver, got --gradient and --solver forward" in capsys.readouterr().err
    assert main([*argv, "--overwrite", "--gradient", pictures[1]]) == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--model", "zoo/clip"], "need an autoencoder such as zoo/vae, got the dual encoder zoo/clip"),
        (["--model", "zoo/vea"], "unknown model 'zoo/vea'"),
        (["--subfolder", "vae"], "need a subfolder"),
    ],
)
def test_what_it_cannot_use_is_told_in_one_line_and_leaves_nothing(
    folder: Path, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], told: str
) -> None:
    out = tmp_path / "out"
    assert main(["decode-invert", "--out", str(out), "--model", str(folder), *change, pictures[0]]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert not out.exists()
    assert not (tmp_path / "out.partial").exists()


def test_a_picture_that_is_none_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.png").write_text("no picture")
    argv = ["decode-invert", "--model", str(folder), "--out", str(tmp_path / "out")]
    assert main([*argv, str(tmp_path / "text.png")]) == 2
    assert "need a picture" in capsys.readouterr().err
    assert main([*argv, str(tmp_path / "missing.png")]) == 2
    assert "nothing there" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
