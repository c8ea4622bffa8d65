"""The command line as a stranger meets it: what it writes, and how it fails."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import obvert
from obvert.cli import main
from obvert.commands._common import show
from obvert.zoo.draw import draw
from obvert.zoo.exam import kind, kinds
from obvert.zoo.scenes import sample

DOCS = str(Path(__file__).parents[1] / "docs")
"""A folder with a picture in it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve scenes in folders by colour, three of each."""
    scenes = sample(120, 3, things=1)
    for colour in ("red", "green", "blue", "pink"):
        place = tmp_path / "pictures" / colour
        place.mkdir(parents=True)
        mine = [scene for scene in scenes if kinds()[kind(scene)].startswith(colour)][:3]
        for i, picture in enumerate(draw(mine)):
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(place / f"{i}.png")
    return tmp_path / "pictures"


def test_light_to_import() -> None:
    code = "import sys, obvert, obvert.cli; obvert.cli.overview(); sys.exit('torch' in sys.modules or 'tyro' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("demo", "models", "oti", "ovi", "retrieve", "zoo"))


def test_retrieve_writes_a_report(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "red" if (folder / "red").exists() else next(folder.iterdir())).joinpath("broken.jpg").write_text("no picture")
    out = tmp_path / "out"
    assert main(["retrieve", "--images", str(folder), "--steps", "5", "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    report = json.loads((out / "report.json").read_text())
    rows = [row for row in report["rows"] if row["task"] == "image-to-image"]
    assert [row["features"] for row in rows] == ["native", "oti", "isoclip", "text-pca", "mean"]
    for key in (
        "task",
        "model",
        "features",
        "map",
        "map_at_r",
        "r_precision",
        "recall_at_1",
        "seconds_per_query",
        "queries",
        "gallery",
    ):
        assert all(key in row for row in rows)
    assert len(printed) == len(report["rows"])
    assert report["meta"]["broken"] == 1
    assert any("broken.jpg" in warning for warning in report["warnings"])
    assert (out / "report.html").stat().st_size > 10_000
    assert main(["retrieve", "--images", str(folder), "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_an_interrupted_search_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from obvert.tasks import retrieval

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    command = ["retrieve", "--images", str(folder), "--by", "native,oti", "--steps", "3", "--out", str(out), "--json"]
    with monkeypatch.context() as patch:
        patch.setattr(retrieval, "judge", interrupted)
        assert main(command) == 130
    assert not out.exists()
    assert list((tmp_path / "out.partial" / "pieces").glob("pictures-00000.safetensors"))
    assert main(command) == 0
    assert not (tmp_path / "out.partial").exists()


def test_captions(tmp_path: Path) -> None:
    lines = ["a\ta red ring", "a\ta small red ring", "b\ta blue star", "b\ta large blue star", "b\ta star"]
    (tmp_path / "captions.tsv").write_text("\n".join(lines))
    assert (
        main(["retrieve", "--captions", str(tmp_path / "captions.tsv"), "--steps", "3", "--out", str(tmp_path / "out"), "--json"])
        == 0
    )
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    assert {row["features"] for row in rows} == {"native", "ovi", "isoclip", "text-pca", "mean"}
    assert rows[0]["queries"] == 2
    assert rows[0]["gallery"] == 3


def test_oti_and_ovi_save_what_they_found(folder: Path, tmp_path: Path) -> None:
    pictures = [str(path) for path in sorted(folder.rglob("*.png"))[:2]]
    assert main(["oti", "--steps", "3", "--tokens", "2", "--out", str(tmp_path / "oti"), *pictures]) == 0
    assert main(["ovi", "--steps", "3", "--out", str(tmp_path / "ovi"), "a red ring"]) == 0
    assert obvert.open(tmp_path / "oti").x.shape == (2, 2, 128)
    assert torch.isfinite(obvert.open(tmp_path / "ovi").features).all()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["retrive"], "did you mean retrieve?"),
        (["oti", "--out", "OUT", "missing.png"], "missing.png"),
        (["oti", "--out", "OUT"], "at least one"),
        (["ovi", "--model", "zoo/clop", "--out", "OUT", "x"], "did you mean zoo/clip"),
        (["ovi", "--model", "some/model@main", "--out", "OUT", "x"], "cannot be reached"),
        (["ovi", "--device", "cuda:7", "--out", "OUT", "x"], "cuda:7"),
        (["retrieve", "--out", "OUT"], "neither"),
        (["retrieve", "--images", "nowhere", "--out", "OUT"], "nowhere"),
        (["retrieve", "--images", DOCS, "--by", "native,otti", "--out", "OUT"], "did you mean oti?"),
        (["retrieve", "--dataset", "cub", "--out", "OUT"], "--root DIR together"),
        (["retrieve", "--dataset", "cob", "--root", ".", "--out", "OUT"], "did you mean cub"),
        (["retrieve", "--dataset", "cub", "--root", "nowhere", "--out", "OUT"], "need the folder nowhere/CUB_200_2011"),
        (["retrieve", "--dataset", "revisited/oxford5k", "--root", ".", "--out", "OUT"], "did you mean roxford5k"),
        (
            ["retrieve", "--dataset", "revisited/rparis6k", "--root", "nowhere", "--out", "OUT"],
            "need the folder nowhere/rparis6k",
        ),
        (["retrieve", "--dataset", "parquet", "--root", "nowhere", "--out", "OUT"], "at or below nowhere, got nothing there"),
        (["retrieve", "--dataset", "imdb", "--root", "nowhere", "--out", "OUT"], "need the folder nowhere/aclImdb/test/neg"),
        (["zoo", "train", "clap", "--out", "OUT"], "did you mean clip, clip-bag?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    argv: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "cuda:7" in argv and torch.cuda.is_available():
        pytest.skip("there is a cuda device")
    assert main([arg.replace("OUT", str(tmp_path / "out")) for arg in argv]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert said in lines[-1]
    assert "Traceback" not in "".join(lines)
    assert not list(tmp_path.iterdir())


def test_pictures_that_search_in_vain_are_refused_and_nothing_is_left(folder: Path, tmp_path: Path, capsys) -> None:
    (folder / "lone").mkdir()
    shutil.copy(folder / "red" / "0.png", folder / "lone")
    command = ["retrieve", "--images", str(folder), "--by", "native", "--out", str(tmp_path / "out"), "--json"]
    assert main(command) == 2
    assert "got one of 'lone'" in capsys.readouterr().err.strip().splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
    assert main([*command, "--allow-single"]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert any("1 queries have nothing relevant" in warning for warning in report["warnings"])


def test_a_folder_of_broken_pictures_is_refused_and_nothing_is_left(tmp_path: Path, capsys) -> None:
    for i in range(4):
        (tmp_path / "data" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "ab"[i % 2] / f"{i}.png").write_text("no picture")
    assert main(["retrieve", "--images", str(tmp_path / "data"), "--by", "native", "--out", str(tmp_path / "out")]) == 2
    assert "got 4 broken" in capsys.readouterr().err.strip().splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_auto_chooses_and_an_inverter_joins_the_table(folder: Path, tmp_path: Path, capsys) -> None:
    for path in sorted(folder.rglob("*.png")):
        shutil.copy(path, path.with_name(f"again-{path.name}"))
    made = tmp_path / "inverter"
    assert main(["inverter", "train", "--scenes", "64", "--steps", "2", "--hidden", "32", "--out", str(made), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert row["pairs"] + row["held_out"] == 64
    assert row["fidelity"] > row["native_cosine"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inverter", "pictures"]
    out = tmp_path / "out"
    command = ["retrieve", "--images", str(folder), "--by", "native,inverter,auto", "--inverter", str(made), "--steps", "4"]
    assert main([*command, "--out", str(out), "--json"]) == 0
    report = json.loads((out / "report.json").read_text())
    rows = {row["features"]: row for row in report["rows"] if row["task"] == "image-to-image"}
    assert set(rows) == {"native", "inverter", "auto"}
    assert rows["auto"]["queries"] < rows["auto"]["gallery"]
    assert rows["auto"]["chosen"]
    assert "What auto chose" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"noise": torch.ones(3, 64)}, "got noise"), ({"image": torch.zeros(30, 64)}, "30 rows of image"), (None, "got")],
)
def test_features_that_are_none_train_no_inverter(given, said: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "features.safetensors"
    if given is None:
        file.write_text("no safetensors")
    else:
        save_file(given, file)
    assert main(["inverter", "train", "--features", str(file), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["features.safetensors"]


def test_inverters_of_pictures_and_of_texts_and_one_of_another_model(folder: Path, tmp_path: Path, capsys) -> None:
    for i, path in enumerate(sorted(folder.rglob("*.png"))):
        shutil.copy(path, path.with_name(f"again-{i}.png"))
    made = str(tmp_path / "of-pictures")
    assert main(["inverter", "train", "--pictures", str(folder), "--steps", "2", "--hidden", "8", "--out", made, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["features"] == "inverter of oti"
    lines = tmp_path / "texts.txt"
    lines.write_text("\n".join(f"a {size} {name}" for size in ("small", "large") for name in kinds()[:12]))
    said = str(tmp_path / "of-texts")
    assert main(["inverter", "train", "--texts", str(lines), "--steps", "2", "--hidden", "8", "--out", said, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["features"] == "inverter of ovi"
    other = [
        "retrieve",
        "--model",
        "zoo/clip-smallgap",
        "--images",
        str(folder),
        "--by",
        "inverter",
        "--out",
        str(tmp_path / "x"),
    ]
    assert main([*other, "--inverter", made]) == 2
    assert "inverter was made for zoo/clip" in capsys.readouterr().err.strip().splitlines()[-1]
    assert main([*other[:2], "zoo/clip", *other[3:], "--inverter", said]) == 2
    assert "without image features" in capsys.readouterr().err.strip().splitlines()[-1]
    assert main([*other[:2], "zoo/clip", *other[3:], "--inverter", str(folder)]) == 2
    assert "obvert.save wrote" in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "x.partial").exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["paper", "cross-the-gab", "--out", "OUT"], "did you mean cross-the-gap"),
        (["paper", "cross-the-gap", "--seeds", "1", "--out", "OUT"], "2 to 10 seeds"),
        (["inverter", "trian", "--out", "OUT"], "did you mean train"),
        (["inverter", "train", "--texts", "a", "--pictures", "b", "--out", "OUT"], "pictures and texts"),
        (["inverter", "train", "--pictures", "nowhere", "--out", "OUT"], "nowhere"),
        (["inverter", "train", "--scenes", "5", "--out", "OUT"], "at least 20 features"),
        (["zoo", "train", "clip", "--steps", "0", "--out", "OUT"], "steps >= 1"),
        (["demo", "--pictures", "3", "--out", "OUT"], "need 128 pictures"),
        (["retrieve", "--images", DOCS, "--by", "native,atuo", "--out", "OUT"], "did you mean auto"),
    ],
)
def test_what_is_wrong_with_the_larger_tasks_is_said_in_one_line(argv, said: str, tmp_path: Path, capsys) -> None:
    try:
        code = main([arg.replace("OUT", str(tmp_path / "out")) for arg in argv])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    err = capsys.readouterr().err.strip()
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["oti", "--steps", "-3", "--out", "x", "y.png"], "need tokens >= 1, steps >= 0"),
        (["demo", "--nosuch", "3", "--out", "x"], "--nosuch"),
        (["retrieve"], "--out PATH"),
        (["decode-invert", "--solver", "nosuch", "--out", "x", "y.png"], "invalid choice 'nosuch'"),
    ],
)
def test_wrong_options_are_told_in_one_line(argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert f"obvert {argv[0]} --help" in err


def test_rows_of_several_models_tell_which(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"task": "moved", "model": name, "ratio": 0.5} for name in ("one/model", "another/model")]
    show(rows, as_json=False)
    assert {"one/model", "another/model"} <= set(capsys.readouterr().out.split())
    show(rows[:1], as_json=False)
    assert "one/model" not in capsys.readouterr().out
