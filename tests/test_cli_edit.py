"""obvert edit on a model that paints a caption's colour: files, JSON, sizes, masks, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from obvert.cli import main
from obvert.core import Autoencoder, Card, Diffusion, Schedule
from obvert.tasks._fit import fit

PAINT = {"red": [1.0, 0.0, 0.0], "blue": [0.0, 0.0, 1.0], "": [0.0, 0.0, 0.0]}


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow that paints a caption's colour over what the noise says, on 8 x 8 pixels with two to a latent."""

    def schedule(steps: int) -> Schedule:
        s = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        return Schedule(times=s[:-1].float(), signal=1 - s, noise=s)

    model = Diffusion(
        card=Card(name="toy", family="functions"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        autoencoder=Autoencoder.from_functions(
            lambda x: torch.nn.functional.avg_pool2d(x, 2) * 2 - 1,
            lambda z: ((z + 1) / 2).repeat_interleave(2, 2).repeat_interleave(2, 3),
        ),
        shape=(3, 4, 4),
        prediction="flow",
        embed=lambda captions: torch.tensor([PAINT[caption] for caption in captions]),
        predict=lambda z, times, said: 0.3 * z.roll(1, 3) - said[:, :, None, None],
        schedule=schedule,
    )
    monkeypatch.setattr("obvert.models.load_diffusion", lambda name, device, dtype: model)


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """Two pictures as the model draws them, and a mask of their left halves."""
    rng = np.random.default_rng(0)
    for name in ("one.png", "two.png"):
        Image.fromarray(rng.integers(80, 160, (8, 8, 3), dtype=np.uint8)).save(tmp_path / name)
    mask = np.zeros((8, 8), np.uint8)
    mask[:, :4] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return [str(tmp_path / "one.png"), str(tmp_path / "two.png")]


def pixels(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image)).float()


def test_pictures_are_edited_within_the_mask(pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    argv = ["edit", "--source", "red", "--target", "blue", "--steps", "10", "--guidance", "1", "--out", str(out), "--json"]
    mask = ["--mask", str(tmp_path / "mask.png")]
    assert main([*argv, *mask, "--keep-background", *pictures]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["picture"] for row in rows] == ["one", "two"]
    assert all(row["status"] == "converged" and row["latents_db"] < -60 for row in rows)
    assert all(row["reconstruction_db"] == pytest.approx(row["autoencoder_db"], abs=0.1) for row in rows)
    assert all(row["untouched_db"] == pytest.approx(row["autoencoder_db"], abs=3) for row in rows)
    change = pixels(out / "one-edited.png") - pixels(out / "one-reconstructed.png")
    assert change[:, :4, 2].mean() > 20
    assert change[:, 4:].abs().max() <= 1
    page = (out / "report.html").read_text()
    assert "“red” to “blue”" in page
    assert 'role="note"' not in page  # no warning
    assert json.loads((out / "report.json").read_text())["meta"]["settings"]["steps"] == 10
    assert main([*argv, *pictures]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*argv, "--overwrite", "--inversion", "naive", *pictures]) == 0
    naive = json.loads(capsys.readouterr().out)
    assert all(row["untouched_db"] is None and row["latents_db"] > rows[0]["latents_db"] for row in naive)


@pytest.mark.filterwarnings("default::UserWarning")
def test_other_sizes_are_cropped_and_resized_and_their_mask_with_them(
    pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 16), "grey").save(tmp_path / "wide.png")
    mask = np.zeros((16, 40), np.uint8)
    mask[:, 20:] = 255
    Image.fromarray(mask).save(tmp_path / "wide-mask.png")
    argv = ["edit", "--source", "red", "--target", "blue", "--steps", "4", "--keep-background"]
    wide = ["--mask", str(tmp_path / "wide-mask.png"), "--out", str(tmp_path / "out")]
    assert main([*argv, *wide, str(tmp_path / "wide.png")]) == 0
    assert "wide.png: 40 x 16 is cropped to 16 x 16 and resized to 8 x 8" in capsys.readouterr().err
    change = pixels(tmp_path / "out" / "wide-edited.png") - pixels(tmp_path / "out" / "wide-reconstructed.png")
    assert change[:, :4].abs().max() <= 1
    assert change[:, 4:, 2].mean() > 20
    edge = np.zeros((16, 40), np.uint8)
    edge[:, :4] = 255
    Image.fromarray(edge).save(tmp_path / "edge.png")
    away = ["--mask", str(tmp_path / "edge.png"), "--out", str(tmp_path / "none")]
    assert main([*argv, *away, str(tmp_path / "wide.png")]) == 2
    assert "need a mask with white left when it is cropped and resized as" in capsys.readouterr().err
    other = ["--mask", str(tmp_path / "wide-mask.png"), "--out", str(tmp_path / "none")]
    assert main([*argv, *other, pictures[0]]) == 2
    told = capsys.readouterr().err
    assert "need a mask as large as the picture, 8 x 8, or as the model draws, 8 x 8, got 40 x 16" in told
    assert not (tmp_path / "none").exists()


def test_a_crop_is_of_the_middle_and_a_mask_gets_no_new_values() -> None:
    ramp = torch.arange(12.0).expand(1, 4, 12) / 12
    torch.testing.assert_close(fit(ramp, (4, 4)), ramp[:, :, 4:8])
    assert fit(ramp, (4, 12)) is ramp
    tall = fit((ramp > 0.5).float().transpose(1, 2), (7, 5), nearest=True)
    assert tall.shape == (1, 7, 5)
    assert set(tall.unique().tolist()) <= {0.0, 1.0}
    with pytest.warns(UserWarning, match="x: 12 x 4 is resized to 6 x 2"):
        assert fit(ramp, (2, 6), "x").shape == (1, 2, 6)


def test_a_page_warns_where_pictures_do_not_come_back(
    pictures: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("obvert.tasks._edit_report.MISSED", -1000.0)
    argv = ["edit", "--source", "red", "--target", "red", "--steps", "2", "--inversion", "naive", "--json"]
    assert main([*argv, "--out", str(tmp_path / "out"), *pictures]) == 0
    assert "2 of 2 pictures do not come back" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "need at least one picture to edit, got none"),
        (["missing.png"], "missing.png: need a picture file, got nothing there"),
        (["PICTURE", "--target", " "], "need a source and a target caption, got 'red' and ' '"),
        (["PICTURE", "--keep-background"], "need --mask to keep the background, got none"),
        (["PICTURE", "--mask", "missing.png"], "missing.png: need a picture file"),
        (["PICTURE", "--mask", "BLACK"], "need a mask that is white where pictures may change"),
        (["PICTURE", "--steps", "0"], "need steps, iterations and batch of at least 1"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    argv: list[str], said: str, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    places = {"PICTURE": pictures[0], "BLACK": str(tmp_path / "black.png")}
    asked = ["edit", "--source", "red", "--target", "blue", "--out", str(tmp_path / "out")]
    assert main([*asked, *(places.get(arg, arg) for arg in argv)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
