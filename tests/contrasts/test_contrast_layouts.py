"""Every benchmark on a miniature made on the spot: what is read, how it is scored, and what is said of damaged files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from obvert.contrasts import read
from obvert.core import ContrastSet, ObvertError
from obvert.io import PictureError, read_images
from obvert.registry import module, names

Make = Callable[[Path], None]


def written(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def pictures(root: Path, *files: str) -> None:
    for file in files:
        path = root / "images" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(sum(file.encode())).integers(0, 255, (9, 7, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, format="PNG")


def sugarcrepe(root: Path, part: str) -> None:
    entry = {"filename": "1.jpg", "caption": "a cat sees a dog", "negative_caption": "a dog sees a cat"}
    written(root / f"{part}.json", {"0": entry})
    pictures(root, "1.jpg")


def sugarcrepe_pp(root: Path, part: str) -> None:
    entry = {"id": 0, "filename": "1.jpg", "caption": "a cat sees a dog", "caption2": "cat sees dog"}
    written(root / f"{part}.json", [entry | {"negative_caption": "a dog sees a cat"}])
    pictures(root, "1.jpg")


def valse(root: Path, part: str) -> None:
    entry = {"caption": "a cat", "foil": "a dog", "image_file": "1.jpg", "dataset": "COCO", "mturk": {"caption": 2, "foil": 1}}
    written(root / "data" / f"{part}.json", {f"{part}_0": entry, f"{part}_1": entry | {"mturk": {"caption": 1}}})
    pictures(root, "COCO/1.jpg")


def genome(root: Path, part: str) -> None:
    box = {"bbox_x": 1, "bbox_y": 2, "bbox_w": 3, "bbox_h": 4, "image_path": "1.jpg"}
    entry = box | {"true_caption": "the cat is on the mat", "false_caption": "the mat is on the cat"}
    more = {"relation_name": "on"} if part == "vg_relation" else {"attributes": ["big", "red"]}
    written(root / f"visual_genome_{part.removeprefix('vg_')}.json", [entry | more])
    pictures(root, "1.jpg")


def ordered(file: str) -> Make:
    def make(root: Path) -> None:
        written(root / file, [{"image": "1.jpg", "caption": ["A cat sees a dog, there.", "dog"]}])
        pictures(root, "1.jpg")

    return make


def cola(root: Path) -> None:
    links = [f"https://host/pictures/{i}.jpg" for i in (1, 2)]
    written(root / "COLA_multiobjects_matching_benchmark.json", [[links[0], "red cat blue dog", links[1], "blue cat red dog"]])
    pictures(root, "1.jpg", "2.jpg")


def winoground(root: Path) -> None:
    entry = {"id": 0, "image_0": "ex_0_img_0", "image_1": "ex_0_img_1", "caption_0": "a cat sees a dog", "tag": "Noun"}
    written(root / "examples.jsonl", json.dumps(entry | {"caption_1": "a dog sees a cat", "collapsed_tag": "Object"}) + "\n")
    pictures(root, "ex_0_img_0.png", "ex_0_img_1.png")


BIVLC = {"image": "1.jpg", "caption": "a cat", "negative_caption": "a cat,\nand a dog", "negative_image": "n1.jpg"}


def bivlc(root: Path) -> None:
    row = BIVLC | {"type": "add", "subtype": "obj"}
    root.mkdir(parents=True, exist_ok=True)
    with (root / "BiVLC.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(row))
        table.writeheader()
        table.writerow(row)
    pictures(root, "1.jpg", "n1.jpg")


def controlled(part: str) -> Make:
    opposite = ("in front of", "behind") if part == "controlled_clevr" else ("on", "under")
    ways = ["to the left of", "to the right of", *opposite]

    def make(root: Path) -> None:
        entries = []
        for i, way in enumerate(ways):
            options = [f"A mug {other} a table" for other in (way, *(w for w in ways if w != way))]
            entries.append({"image_path": f"data/{part}/mug_{i}_table.jpeg", "caption_options": options})
            pictures(root, f"{part}/mug_{i}_table.jpeg")
        written(root / f"{part}_dataset.json", entries)

    return make


def asked(part: str) -> Make:
    file = "val2017/000000000139.jpg" if part.startswith("coco") else "vg_images/139.jpg"

    def make(root: Path) -> None:
        written(root / f"{part}.json", [[139, "A photo of a dog on the left", "A photo of a dog on the right"]])
        pictures(root, file)

    return make


def of(make: Callable[[Path, str], None], part: str) -> Make:
    return lambda root: make(root, part)


PARTS: dict[str, Make] = {
    **{f"sugarcrepe/{part}": of(sugarcrepe, part) for part in module("contrasts", "sugarcrepe").VARIANTS},
    **{f"sugarcrepe-pp/{part}": of(sugarcrepe_pp, part) for part in module("contrasts", "sugarcrepe-pp").VARIANTS},
    **{f"valse/{part}": of(valse, part) for part in module("contrasts", "valse").VARIANTS},
    **{f"aro/{part}": of(genome, part) for part in ("vg_relation", "vg_attribution")},
    "aro/coco_order": ordered("coco_karpathy_test.json"),
    "aro/flickr30k_order": ordered("flickr30k_test.json"),
    "cola": cola,
    "winoground": winoground,
    "bivlc": bivlc,
    **{f"whatsup/{part}": controlled(part) for part in ("controlled_images", "controlled_clevr")},
    **{f"whatsup/{part}": asked(part) for part in ("coco_qa_one_obj", "coco_qa_two_obj", "vg_qa_one_obj", "vg_qa_two_obj")},
}
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
    for content in ("{broken", "7", '["a text", "another", "a third", "a fourth"]', '[{"a": 1}]', '[{"a": 1}]\n\x00', "", "[]"):
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
