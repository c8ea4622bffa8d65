"""Tables made on the spot as the library `datasets` and the hub write them: columns found, pictures fetched in pieces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from obvert.cli import main
from obvert.core import ObvertError, PictureSet, TextSet
from obvert.datasets import read
from obvert.io import PictureError, read_images
from obvert.tasks import _encode
from obvert.zoo.draw import draw
from obvert.zoo.scenes import sample

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CLASSES = ["red_fox", "owl"]


def scenes(count: int, seed: int = 1) -> list[np.ndarray]:
    return [picture.permute(1, 2, 0).numpy() for picture in draw(sample(count, seed))]


def png(picture: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def noted(table: Any, **features: dict[str, Any]) -> Any:
    """The table with the note of the library `datasets` in its schema."""
    note = json.dumps(
        {"info": {"features": {name: {"dtype": "string", "_type": "Value"} for name in table.column_names} | features}}
    )
    return table.replace_schema_metadata({"huggingface": note})


def pictures(count: int = 6, seed: int = 1) -> Any:
    """An id, a picture and a ClassLabel, classes in turn."""
    cells = [{"bytes": png(picture), "path": f"{i}.png"} for i, picture in enumerate(scenes(count, seed))]
    table = pa.table({"id": list(range(count)), "img": pa.array(cells, IMAGE), "kind": [i % 2 for i in range(count)]})
    return noted(table, img={"_type": "Image"}, kind={"names": CLASSES, "_type": "ClassLabel"})


def saved_to_disk(table: Any, folder: Path) -> None:
    """As `Dataset.save_to_disk` lays it out: a stream of record batches with its state beside it."""
    folder.mkdir(parents=True)
    name = "data-00000-of-00001.arrow"
    with pa.ipc.new_stream(str(folder / name), table.schema) as sink:
        sink.write_table(table, max_chunksize=2)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}], "_split": None}))
    (folder / "dataset_info.json").write_text("{}")


def one_file(table: Any, root: Path) -> Path:
    pq.write_table(table, root / "birds.parquet", row_group_size=4)
    return root / "birds.parquet"


def shards(table: Any, root: Path) -> Path:
    (root / "data").mkdir()
    for i in range(2):
        pq.write_table(table.slice(3 * i, 3), root / "data" / f"train-{i:05d}-of-00002.parquet")
    (root / ".cache").mkdir()
    (root / ".cache" / "old.parquet").write_text("left alone")
    return root


def arrow(table: Any, root: Path) -> Path:
    saved_to_disk(table, root / "birds")
    (root / "birds" / "cache-1234.arrow").write_text("left alone")
    return root / "birds"


def random_access(table: Any, root: Path) -> Path:
    with pa.ipc.new_file(str(root / "birds.arrow"), table.schema) as sink:
        sink.write_table(table)
    return root


@pytest.mark.parametrize("lay", [one_file, shards, arrow, random_access])
def test_pictures_come_back_whole_in_any_order(lay, tmp_path: Path) -> None:
    found = read("parquet", lay(pictures(), tmp_path))
    assert isinstance(found, PictureSet)
    assert found.classes == ["red fox", "owl"]
    assert found.labels == [0, 1, 0, 1, 0, 1]
    assert (found.queries, found.gallery, found.judged) == (None, None, {})
    truth = [torch.from_numpy(picture).permute(2, 0, 1) / 255 for picture in scenes(6)]
    for order in (range(6), range(5, -1, -1), (4, 0, 0, 5, 1)):
        for row in order:
            assert torch.equal(read_images(found.paths[row])[0], truth[row])


WRITE = """
import sys
try:
    import datasets
    from datasets.table import InMemoryTable
except ImportError:
    sys.exit(3)
import pyarrow.parquet as pq
given = datasets.Dataset(InMemoryTable(pq.read_table("given.parquet")), fingerprint="0")
datasets.DatasetDict({"train": given, "test": given.select(range(2))}).save_to_disk("saved")
given.to_parquet("one.parquet")
"""


def test_what_datasets_wrote_is_read(tmp_path: Path) -> None:
    """The same through the library itself where it is installed, in a process of its own."""
    pq.write_table(pictures(), tmp_path / "given.parquet")
    done = subprocess.run([sys.executable, "-c", WRITE], cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("needs the library datasets")
    assert done.returncode == 0, done.stderr
    both, one = read("parquet", tmp_path / "saved"), read("parquet", tmp_path / "one.parquet")
    assert (both.queries, both.gallery) == ([0, 1], [2, 3, 4, 5, 6, 7])
    assert isinstance(one, PictureSet)
    assert one.classes == ["red fox", "owl"]
    assert torch.equal(read_images(one.paths[5])[0], torch.from_numpy(scenes(6)[5]).permute(2, 0, 1) / 255)


@pytest.mark.parametrize("lay", ["hub", "hub folders", "saved"])
def test_test_rows_search_training_rows(lay: str, tmp_path: Path) -> None:
    for name, count in (("train", 4), ("test", 2), ("validation", 3)):
        table = pictures(count, seed=count)
        if lay == "saved":
            saved_to_disk(table, tmp_path / name)
            continue
        file = tmp_path / (f"data/{name}-00000-of-00001.parquet" if lay == "hub" else f"default/{name}/0000.parquet")
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file)
    found = read("parquet", tmp_path)
    assert isinstance(found, PictureSet)
    assert found.queries is not None
    assert found.gallery is not None
    assert torch.equal(read_images(found.paths[found.queries[0]])[0], torch.from_numpy(scenes(2, 2)[0]).permute(2, 0, 1) / 255)
    assert {found.paths[row].file.relative_to(tmp_path).as_posix().count("train") for row in found.gallery} == {1}  # type: ignore[union-attr]
    assert (len(found.queries), len(found.gallery), len(found.paths)) == (2, 4, 6)  # validation is left out


def test_columns_are_found_by_type_or_named(tmp_path: Path) -> None:
    cells = [png(picture) for picture in scenes(4)]
    table = pa.table({"thumb": cells, "name": ["a", "b", "b", "a"], "label": [7, 7, 3, 3], "photo": cells[::-1]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = read("parquet", tmp_path / "a.parquet")
    assert isinstance(found, PictureSet)
    assert (found.classes, found.labels) == (["3", "7"], [1, 1, 0, 0])
    named = read("parquet/photo,name", tmp_path / "a.parquet")
    assert isinstance(named, PictureSet)
    assert (named.classes, named.labels) == (["a", "b"], [0, 1, 1, 0])
    assert torch.equal(read_images(named.paths[0])[0], read_images(found.paths[3])[0])


def test_pictures_beside_the_table_and_empty_cells(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    Image.fromarray(scenes(1)[0]).save(tmp_path / "files" / "a.png")
    cells = [
        {"bytes": None, "path": "files/a.png"},
        {"bytes": None, "path": "files/b.png"},
        None,
        {"bytes": b"no picture", "path": None},
    ]
    pq.write_table(pa.table({"image": pa.array(cells, IMAGE), "label": [0] * 4}), tmp_path / "a.parquet")
    found = read("parquet", tmp_path)
    assert isinstance(found, PictureSet)
    assert torch.equal(read_images(found.paths[0])[0], torch.from_numpy(scenes(1)[0]).permute(2, 0, 1) / 255)
    for row, told in (
        (1, r"b\.png: need a picture file"),
        (2, r"a\.parquet, row 2: need a picture, got an empty"),
        (3, r"a\.parquet, row 3: need a picture \("),
    ):
        with pytest.raises(PictureError, match=told):
            read_images(found.paths[row])


def test_broken_rows_are_left_out(clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_encode, "CHUNK", 2)
    table = pictures()
    cells = table["img"].to_pylist()
    cells[2]["bytes"] = b"\x89PNG broken"
    table = table.set_column(1, "img", pa.array(cells, IMAGE))
    given = read("parquet/img,kind", one_file(table, tmp_path))
    assert isinstance(given, PictureSet)
    found = _encode.encode(clip, given)
    assert [row.row for row in found.pictures.paths] == [0, 1, 3, 4, 5]  # type: ignore[union-attr]
    assert len(found.broken) == 1
    assert "birds.parquet, row 2: need a picture" in found.broken[0]
    whole = [torch.from_numpy(picture).permute(2, 0, 1) / 255 for i, picture in enumerate(scenes(6)) if i != 2]
    torch.testing.assert_close(found.features, clip.image_features(whole).cpu(), rtol=0, atol=1e-5)


def test_texts_with_labels_and_in_groups(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b", None, "d"], "label": [1, 0, 1, 0]})
    pq.write_table(noted(table, label={"names": ["no", "yes"], "_type": "ClassLabel"}), tmp_path / "a.parquet")
    found = read("parquet", tmp_path / "a.parquet")
    assert isinstance(found, TextSet)
    assert (found.texts, found.groups) == (["a", "b", "", "d"], [1, 0, 1, 0])
    assert found.queries == found.gallery == [0, 1, 2, 3]
    pq.write_table(pa.table({"caption": ["a", "b", "c"], "image_id": ["x", "y", "x"]}), tmp_path / "b.parquet")
    grouped = read("parquet", tmp_path / "b.parquet")
    assert isinstance(grouped, TextSet)
    assert (grouped.texts, grouped.groups, grouped.queries) == (["a", "b", "c"], [0, 1, 0], None)
    for part, count in (("train", 3), ("test", 1)):
        saved_to_disk(pa.table({"text": ["x"] * count, "label": ["pos"] * count}), tmp_path / "saved" / part)
    split = read("parquet", tmp_path / "saved")
    assert (split.queries, split.gallery) == ([0], [1, 2, 3])


def test_a_search_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = one_file(pictures(8), tmp_path)
    command = ["retrieve", "--dataset", "parquet", "--root", str(file), "--by", "native,mean", "--json"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["features"], row["queries"]) for row in rows[:2]] == [
        ("image-to-image", name, 8) for name in ("native", "mean")
    ]
    texts = pa.table({"text": ["a red ring", "a blue star", "a small red ring", "a star"], "label": [0, 1, 0, 1]})
    pq.write_table(texts, tmp_path / "texts.parquet")
    command[4] = str(tmp_path / "texts.parquet")
    assert main([*command, "--out", str(tmp_path / "more")]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["queries"], row["gallery"]) for row in rows] == [("text-to-text", 4, 4)] * 2
    assert rows[0]["map"] == 1  # each finds the other of its class before the two others: the query itself is left out


@pytest.mark.parametrize(
    ("variant", "table", "told"),
    [
        ("", {"a": [1], "label": [1]}, "need a column of pictures or texts, got a: int64, label: int64; name both"),
        ("", {"text": ["x"], "what": [1]}, "need a column of labels, got text: string, what: int64"),
        ("image,label", {"text": ["x"], "label": [1]}, "need a column 'image', got text, label"),
        ("text", {"text": ["x"], "label": [1]}, "need two columns as in parquet/image,label, got 'text'"),
        ("", {"text": ["x", "y"], "label": [0, -1]}, "row 1: need a label, a number from 0 or a text, got -1"),
        ("", {"text": ["x", "y"], "label": [0, None]}, "row 1: need a label, a number from 0 or a text, got None"),
        ("", {"text": pa.array([], pa.string()), "label": pa.array([], pa.int64())}, "need rows, got none"),
    ],
)
def test_unsuitable_tables_are_told(variant: str, table: dict[str, Any], told: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    with pytest.raises(ObvertError, match=told) as caught:
        read(f"parquet/{variant}", tmp_path / "a.parquet")
    assert "\n" not in str(caught.value)


def test_damaged_and_missing_tables_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ObvertError, match=r"need a \.parquet or \.arrow file at or below .*none, got nothing there"):
        read("parquet", tmp_path / "none")
    with pytest.raises(ObvertError, match="got none"):
        read("parquet", tmp_path)
    for name, kind in (("a.parquet", "Parquet"), ("b.arrow", "Arrow")):
        (tmp_path / name).write_text("no table")
        with pytest.raises(ObvertError, match=f"{name}: need an? {kind} table, got ") as caught:
            read("parquet", tmp_path / name)
        assert "\n" not in str(caught.value)
    names = noted(pa.table({"text": ["x"], "label": [5]}), label={"names": CLASSES, "_type": "ClassLabel"})
    pq.write_table(names, tmp_path / "c.parquet")
    with pytest.raises(ObvertError, match="need labels below 2, got 5"):
        read("parquet", tmp_path / "c.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ObvertError, match=r"got none: pip install 'obvert\[tables\]'"):
        read("parquet", tmp_path / "c.parquet")


def test_a_table_that_changed_is_read_anew(tmp_path: Path) -> None:
    file = one_file(pictures(2, seed=1), tmp_path)
    found = read("parquet", file)
    assert isinstance(found, PictureSet)
    before = read_images(found.paths[0])[0]
    one_file(pictures(2, seed=9), tmp_path)
    os.utime(file, ns=(1, 1))
    assert not torch.equal(read_images(found.paths[0])[0], before)
