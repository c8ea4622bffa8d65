"""Benchmarks in miniature, one item or a few in each layout."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from obvert.registry import module

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
