"""ROxford and RParis on a miniature: levels, crops, broken pictures, and a search whose answers are known."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from obvert.cli import main
from obvert.core import ObvertError, PictureSet
from obvert.datasets import read
from obvert.datasets.revisited import Crop
from obvert.io import PictureError, read_images
from obvert.tasks import _encode
from obvert.tasks.retrieval import as_split
from obvert.zoo.draw import draw
from obvert.zoo.scenes import sample

QUERIES = ["all_souls_000013", "keble_000055"]
DATABASE = ["all_souls_000001", "all_souls_000002", "keble_000003", "oxford_000004", "oxford_000005"]


def truth() -> dict[str, Any]:
    """The second query has no easy picture; the first has all kinds."""
    return {
        "imlist": DATABASE,
        "qimlist": QUERIES,
        "gnd": [
            {"bbx": (4.0, 2.0, 30.4, 20.0), "easy": np.array([0]), "hard": np.array([1]), "junk": np.array([3])},
            {"bbx": [0.0, 0.0, 32.0, 32.0], "easy": np.array([], dtype=int), "hard": [2], "junk": np.array([3, 4])},
        ],
    }


def plant(root: Path, variant: str = "roxford5k", **other: Any) -> Path:
    """The miniature, with other entries of its pickle if given."""
    place = root / variant
    (place / "jpg").mkdir(parents=True, exist_ok=True)
    pictures = draw(sample(7, 5))
    for name, picture in zip([*QUERIES, *DATABASE], pictures, strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(place / "jpg" / f"{name}.jpg", quality=95)
    (place / f"gnd_{variant}.pkl").write_bytes(pickle.dumps(truth() | other, protocol=2))
    return place


@pytest.mark.parametrize("variant", ["roxford5k", "rparis6k"])
def test_levels_say_what_is_right_and_what_is_junk(variant: str, tmp_path: Path) -> None:
    place = plant(tmp_path, variant)
    found = read(f"revisited/{variant}", tmp_path)
    assert isinstance(found, PictureSet)
    assert (found.queries, found.gallery) == ([0, 1], [2, 3, 4, 5, 6])
    assert found.paths[2:] == [place / "jpg" / f"{name}.jpg" for name in DATABASE]
    assert [found.classes[label] for label in found.labels[:4]] == ["all souls", "keble", "all souls", "all souls"]
    levels = {level: (judged.relevant, [sorted(rows) for rows in judged.junk]) for level, judged in found.judged.items()}
    assert levels == {
        "easy": ([[2], []], [[3, 5], [4, 5, 6]]),
        "medium": ([[2, 3], [4]], [[5], [5, 6]]),
        "hard": ([[3], [4]], [[2, 5], [5, 6]]),
    }
    assert all(judged.trapezoidal for judged in found.judged.values())


def test_a_query_is_cropped_to_its_box(tmp_path: Path) -> None:
    place = plant(tmp_path)
    found = read("revisited/roxford5k", tmp_path)
    assert isinstance(found, PictureSet)
    whole = Image.open(place / "jpg" / "all_souls_000013.jpg")
    (part,) = read_images(found.paths[0])
    assert torch.equal(part, read_images(whole.crop((4, 2, 30, 20)))[0])
    assert torch.equal(
        read_images(Crop(place / "jpg" / "keble_000055.jpg", (-3, 10, 1e6, 1e6)))[0],
        read_images(place / "jpg" / "keble_000055.jpg")[0][:, 10:],
    )
    with pytest.raises(PictureError, match=r"\[70, 70, 80, 80\]: need a box within 64 x 64 pixels"):
        read_images(Crop(place / "jpg" / "keble_000055.jpg", (70, 70, 80, 80)))
    with pytest.raises(PictureError, match=r"none\.jpg: need a picture file, got nothing there"):
        read_images(Crop(place / "none.jpg", (0, 0, 1, 1)))


def test_broken_pictures_leave_the_lists_consistent(clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_encode, "CHUNK", 3)
    place = plant(tmp_path)
    (place / "jpg" / "all_souls_000013.jpg").write_text("no picture")  # the first query
    (place / "jpg" / "oxford_000004.jpg").unlink()  # junk
    given = read("revisited/roxford5k", tmp_path)
    assert isinstance(given, PictureSet)
    encoded = _encode.encode(clip, given)
    found = encoded.pictures
    assert len(encoded.broken) == 2
    assert (found.queries, found.gallery) == ([0], [1, 2, 3, 4])
    assert [path.stem for path in found.paths[1:]] == [name for name in DATABASE if name != "oxford_000004"]  # type: ignore[union-attr]
    assert (found.judged["easy"].relevant, found.judged["easy"].junk) == ([[]], [[4, 3]])
    assert (found.judged["hard"].relevant, found.judged["hard"].junk) == ([[3]], [[4]])
    collection = as_split(found, encoded.features)
    assert collection.places("hard") == ([[2]], [[3]])
    assert [collection.verdict(0, row) for row in (1, 3, 4)] == [False, None, None]  # at the first level, easy


def test_three_rows_for_each_feature_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path)
    command = ["retrieve", "--dataset", "revisited/roxford5k", "--root", str(tmp_path), "--by", "native,mean", "--json"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["features"]) for row in rows] == [
        (f"image-to-image, {level}", name) for level in ("easy", "medium", "hard") for name in ("native", "mean")
    ]
    assert [row["undefined_queries"] for row in rows] == [1, 1, 0, 0, 0, 0]
    assert all(0 <= row[key] <= 1 for row in rows for key in ("map", "precision_at_1", "precision_at_5", "precision_at_10"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["warnings"] == [
        "image-to-image, easy: 1 queries have nothing relevant in the gallery; they are left out of the means"
    ]


def test_a_query_with_its_own_crop_in_the_database_finds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hard, second query: keble_000003 is its exact copy, so every measure is 1; of the first query, junk lies before."""
    place = plant(
        tmp_path,
        gnd=[{"bbx": [0, 0, 64, 64], "easy": [0], "hard": [1], "junk": [3]}, truth()["gnd"][1] | {"bbx": [0, 0, 64, 64]}],
    )
    for copy, of in (
        ("keble_000003", "keble_000055"),
        ("oxford_000004", "all_souls_000013"),
        ("all_souls_000002", "all_souls_000013"),
    ):
        (place / "jpg" / f"{copy}.jpg").write_bytes((place / "jpg" / f"{of}.jpg").read_bytes())
    command = ["retrieve", "--dataset", "revisited/roxford5k", "--root", str(tmp_path), "--by", "native", "--json"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    hard = json.loads(capsys.readouterr().out)[2]
    assert (hard["task"], hard["map"], hard["precision_at_1"], hard["precision_at_10"]) == ("image-to-image, hard", 1, 1, 1)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"gnd": [{}]}, "need imlist, qimlist and gnd with easy, hard, junk and bbx, got KeyError"),
        ({"gnd": truth()["gnd"][:1]}, "need pictures and one gnd a query, got 5 and 1 for 2"),
        ({"gnd": [{**truth()["gnd"][0], "junk": [5]}, truth()["gnd"][1]]}, "numbered below 5, got 5"),
        ({"gnd": [{**truth()["gnd"][0], "bbx": [1, 2]}, truth()["gnd"][1]]}, "ValueError"),
        ({"imlist": 3}, "TypeError"),
        ({"imlist": [os.system]}, "got (posix|nt|os).system; nothing of it was run"),
    ],
)
def test_a_damaged_truth_is_told_in_one_line(other: dict[str, Any], told: str, tmp_path: Path) -> None:
    plant(tmp_path, **other)
    with pytest.raises(ObvertError, match=told) as caught:
        read("revisited/roxford5k", tmp_path)
    assert "gnd_roxford5k.pkl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ObvertError, match=r"need the folder .*roxford5k, got nothing there"):
        read("revisited/roxford5k", tmp_path)
    place = plant(tmp_path)
    (place / "gnd_roxford5k.pkl").rename(tmp_path / "away")
    with pytest.raises(ObvertError, match=r"need .*gnd_roxford5k\.pkl, got No such file"):
        read("revisited/roxford5k", tmp_path)
    (tmp_path / "away").rename(place / "gnd_roxford5k.pkl")
    (place / "jpg").rename(place / "images")
    with pytest.raises(ObvertError, match=r"need the folder .*jpg, got nothing there"):
        read("revisited/roxford5k", tmp_path)
