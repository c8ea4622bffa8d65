"""Every benchmark on a miniature made on the spot: what is read, how it is scored, and what is said of damaged files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from miniatures import PARTS, cola, genome, written

from obvert.contrasts import read
from obvert.core import ContrastSet, ObvertError
from obvert.io import PictureError, read_images
from obvert.registry import module, names

MEASURES = {
    "sugarcrepe": ("macro",),
    "sugarcrepe-pp": ("itt", "tot"),
    "valse": ("macro",),
    "cola": ("image",),
    "winoground": ("text", "image", "group"),
    "bivlc": ("text", "image", "group"),
}


def test_every_part_of_every_benchmark_is_tested() -> None:
    known = {f"{name}/{part}" if part else name for name in names("contrasts") for part in _parts(name)}
    assert known == set(PARTS) | {"aro/order"}


def _parts(name: str) -> list[str]:
    return list(module("contrasts", name).VARIANTS) or [""]


@pytest.mark.parametrize("name", PARTS)
def test_a_miniature_is_read_with_and_without_its_pictures(name: str, tmp_path: Path) -> None:
    PARTS[name](tmp_path)
    alone, found = read(name, tmp_path), read(name, tmp_path, tmp_path / "images")
    family = name.partition("/")[0]
    assert isinstance(found, ContrastSet)
    assert (found.name, found.missing) == (family, 0)
    assert family not in MEASURES or found.measures == MEASURES[family]
    for item, text in zip(found.items, alone.items, strict=True):
        assert (item.texts, item.right, item.category) == (text.texts, text.right, text.category)
        assert text.pictures == ()
        assert len(item.pictures) == len(item.right)
        assert len(set(item.texts)) == len(item.texts) >= 2
        assert item.crossed == (family in ("cola", "winoground", "bivlc"))
        assert all(len(picture) == 3 for picture in read_images(list(item.pictures)))


@pytest.mark.parametrize("name", PARTS)
def test_missing_and_damaged_files_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ObvertError) as caught:
        read(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    PARTS[name](tmp_path)
    (file,) = (path for path in tmp_path.rglob("*") if path.suffix in (".json", ".jsonl", ".csv"))
    texts = () if "order" in name else ('["a text", "another", "a third", "a fourth"]',)  # which are captions
    for content in ("{broken", "7", '[{"a": 1}]', '[{"a": 1}]\n\x00', "", "[]", *texts):
        file.write_text(content)
        with pytest.raises(ObvertError) as caught:
            read(name, tmp_path)
        told = str(caught.value)
        assert str(file) in told or "got none" in told
        assert "\n" not in told
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ObvertError, match="UTF-8"):
        read(name, tmp_path)


@pytest.mark.parametrize("name", [name for name in PARTS if not name.startswith("aro/vg")])
def test_pictures_that_are_all_missing_are_an_error(name: str, tmp_path: Path) -> None:
    PARTS[name](tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(ObvertError, match=r"got none; .*no such picture in"):
        read(name, tmp_path, tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sugercrepe", "unknown contrast 'sugercrepe'; did you mean sugarcrepe"),
        ("sugarcrepe/swap_atts", "did you mean swap_att"),
        ("cola/hard", "cola has no variants"),
        ("aro", "need a part of aro, as in aro/vg_relation"),
    ],
)
def test_near_misses_are_told(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        read(name, tmp_path)


def test_a_folder_of_pictures_must_be_there(tmp_path: Path) -> None:
    cola(tmp_path)
    with pytest.raises(ObvertError, match=r"need a folder of pictures, got .*nothing there"):
        read("cola", tmp_path, tmp_path / "pictures")


def test_a_part_of_a_picture_is_shown(tmp_path: Path) -> None:
    genome(tmp_path, "vg_relation")
    (item,) = read("aro/vg_relation", tmp_path, tmp_path / "images").items
    (part,), (whole,) = read_images(list(item.pictures)), read_images(tmp_path / "images" / "1.jpg")
    assert part.equal(whole[:, 2:6, 1:4])
    assert str(item.pictures[0]).endswith("1.jpg, box (1, 2, 3, 4)")
    content = json.loads((tmp_path / "visual_genome_relation.json").read_text())
    written(tmp_path / "visual_genome_relation.json", [content[0] | {"bbox_x": 90}])
    (item,) = read("aro/vg_relation", tmp_path, tmp_path / "images").items
    with pytest.raises(PictureError, match="need a box within 7 x 9"):
        read_images(list(item.pictures))
