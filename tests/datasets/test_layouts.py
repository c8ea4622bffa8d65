"""Every layout on a miniature made on the spot: who is in it, who searches whom, and what is said when a file is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from obvert.core import ObvertError, PictureSet, TextSet
from obvert.datasets import coop, read
from obvert.registry import module, names


def picture(path: Path) -> None:
    """A small picture; no two alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(path.name.encode())
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (9, 7, 3), dtype=np.uint8)).save(path, format="JPEG")


def written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def cub(root: Path) -> None:
    place = root / "CUB_200_2011"
    files = ["001.Black_footed_Albatross/a.jpg", "001.Black_footed_Albatross/b.jpg", "002.Laysan_Albatross/c.jpg"]
    for file in files:
        picture(place / "images" / file)
    written(place / "images.txt", "".join(f"{i} {file}\n" for i, file in enumerate(files, 1)))
    written(place / "image_class_labels.txt", "1 1\n2 1\n3 2\n")
    written(place / "classes.txt", "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n")


def sop(root: Path) -> None:
    place = root / "Stanford_Online_Products"
    lines = ["1 11319 1 bicycle_final/x_0.JPG", "2 11319 1 bicycle_final/x_1.JPG", "3 11320 12 coffee_maker_final/y_0.JPG"]
    for line in lines:
        picture(place / line.split()[-1])
    written(place / "Ebay_test.txt", "image_id class_id super_class_id path\n" + "\n".join(lines) + "\n")


def zhou(variant: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        pictures, name = coop.SPLITS[variant]
        parts = {
            "train": [["b/t0.jpg", 7, "red_fox"], ["a/t1.jpg", 3, "owl"], ["a/t2.jpg", 3, "owl"]],
            "val": [["a/v0.jpg", 3, "owl"]],
            "test": [["a/q0.jpg", 3, "owl"], ["b/q1.jpg", 7, "red_fox"]],
        }
        for path, *_ in (*parts["train"], *parts["test"]):
            picture(root / variant / pictures / path)
        written(root / variant / f"split_zhou_{name}.json", json.dumps(parts))

    return make


def aircraft(root: Path) -> None:
    place = root / "fgvc_aircraft" / "data"
    written(place / "variants.txt", "707-320\nDR-400 II\n")
    written(place / "images_variant_train.txt", "0001 DR-400 II\n0002 707-320\n")
    written(place / "images_variant_test.txt", "0003 DR-400 II\n")
    for number in ("0001", "0002", "0003"):
        picture(place / "images" / f"{number}.jpg")


def imagenet(root: Path) -> None:
    place = root / "imagenet"
    written(place / "classnames.txt", "n01440764 tench\nn01484850 great white shark\n")
    for file in ("val/n01440764/q.JPEG", "train/n01440764/a.JPEG", "train/n01484850/b.JPEG"):
        picture(place / "images" / file)


def plain(root: Path) -> None:
    for file in ("owl/a.jpg", "owl/b.jpg", "fox/c.jpg"):
        picture(root / file)


LAYOUTS: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "cub": (cub, ["Black footed Albatross", "Black footed Albatross", "Laysan Albatross"]),
    "sop": (sop, ["bicycle 11319", "bicycle 11319", "coffee maker 11320"]),
    **{f"coop/{variant}": (zhou(variant), ["owl", "red fox", "red fox", "owl", "owl"]) for variant in coop.SPLITS},
    "coop/fgvc_aircraft": (aircraft, ["DR-400 II", "DR-400 II", "707-320"]),
    "imagenet": (imagenet, ["tench", "tench", "great white shark"]),
    "folder": (plain, ["fox", "owl", "owl"]),
}
SPLITS = {name: ([0, 1], [2, 3, 4]) for name in LAYOUTS if name.startswith("coop/")} | {
    "coop/fgvc_aircraft": ([0], [1, 2]),
    "imagenet": ([0], [1, 2]),
}


def karpathy(root: Path, name: str) -> None:
    images = [
        {"split": "train", "sentences": [{"raw": "left out"}]},
        {"split": "test", "sentences": [{"raw": "A dog runs. "}, {"raw": "a running dog"}]},
        {"split": "test", "sentences": [{"raw": "two cats"}, {"raw": "a pair of cats"}]},
    ]
    written(root / name / f"dataset_{name}.json", json.dumps({"images": images}))


def nocaps(root: Path) -> None:
    said = [(7, "A dog runs."), (9, "two cats"), (7, "a running dog"), (9, "a pair of cats")]
    annotations = [{"image_id": image, "caption": caption} for image, caption in said]
    written(root / "nocaps" / "nocaps_val_4500_captions.json", json.dumps({"images": [], "annotations": annotations}))


TEXTS: dict[str, Callable[[Path], None]] = {
    "captions/coco": lambda root: karpathy(root, "coco"),
    "captions/flickr30k": lambda root: karpathy(root, "flickr30k"),
    "captions/nocaps": nocaps,
}


@pytest.mark.parametrize("name", TEXTS)
def test_captions_come_in_groups(name: str, tmp_path: Path) -> None:
    with pytest.raises(ObvertError, match="No such file"):
        read(name, tmp_path)
    TEXTS[name](tmp_path)
    found = read(name, tmp_path)
    assert isinstance(found, TextSet)
    groups = {i: [t for t, g in zip(found.texts, found.groups, strict=True) if g == i] for i in (0, 1)}
    assert groups == {0: ["A dog runs.", "a running dog"], 1: ["two cats", "a pair of cats"]}
    (file,) = tmp_path.rglob("*.json")
    for broken, told in (("{}", "need the layout"), ("[]", "need the layout"), ('{"images": [], "annotations": []}', "got none")):
        file.write_text(broken)
        with pytest.raises(ObvertError, match=told):
            read(name, tmp_path)


ELSEWHERE = {
    "revisited": "revisited",
    "parquet": "parquet",
    "nanobeir": "text_sets",
    "imdb": "text_sets",
    "newsgroups": "text_sets",
}
"""{family: the end of the name of its own test file}."""


def test_every_registered_data_set_is_tested() -> None:
    for family, file in ELSEWHERE.items():
        assert f'read("{family}' in Path(__file__).with_name(f"test_{file}.py").read_text()
    here = set(names("datasets")) - set(ELSEWHERE)
    known = {f"{name}/{variant}" if variant else name for name in here for variant in _variants(name)}
    assert known == set(LAYOUTS) | set(TEXTS)


def _variants(name: str) -> list[str]:
    return list(module("datasets", name).VARIANTS) or [""]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_miniature_is_read(name: str, tmp_path: Path) -> None:
    make, classes = LAYOUTS[name]
    make(tmp_path)
    found = read(name, tmp_path)
    assert isinstance(found, PictureSet)
    assert [found.classes[label] for label in found.labels] == classes
    assert all(path.is_file() for path in found.paths)
    assert (found.queries, found.gallery) == SPLITS.get(name, (None, None))


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "folder"])
def test_a_missing_file_is_named_with_its_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(ObvertError, match="nothing there") as caught:
        read(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    LAYOUTS[name][0](tmp_path)
    for file in [path for path in tmp_path.rglob("*") if path.suffix in (".txt", ".json")]:
        content = file.read_text()
        file.unlink()
        with pytest.raises(ObvertError) as caught:
            read(name, tmp_path)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
        file.write_text(content)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cob", "unknown dataset 'cob'; did you mean cub"),
        ("coop", "unknown variant of coop ''; there are"),
        ("coop/stanford-cars", "did you mean stanford_cars"),
        ("cub/200", "cub has no variants"),
    ],
)
def test_near_misses_are_told(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        read(name, tmp_path)


def test_damaged_tables_are_told(tmp_path: Path) -> None:
    cub(tmp_path)
    place = tmp_path / "CUB_200_2011"
    written(place / "image_class_labels.txt", "1 1\n2 9\n3 2\n")
    with pytest.raises(ObvertError, match=r"need a class of classes\.txt for image 2"):
        read("cub", tmp_path)
    written(place / "images.txt", "1\n")
    with pytest.raises(ObvertError, match=r"images\.txt, line 1: need 2 columns"):
        read("cub", tmp_path)
    zhou("dtd")(tmp_path)
    for text, told in (
        ("{broken", "is not JSON"),
        ('{"test": [], "train": [["a"]]}', "need .* lists of"),
        ("[]", "need .* lists of"),
    ):
        written(tmp_path / "dtd" / "split_zhou_DescribableTextures.json", text)
        with pytest.raises(ObvertError, match=told):
            read("coop/dtd", tmp_path)
    aircraft(tmp_path)
    written(tmp_path / "fgvc_aircraft" / "data" / "images_variant_test.txt", "0003 Concorde\n")
    with pytest.raises(ObvertError, match="'Concorde'"):
        read("coop/fgvc_aircraft", tmp_path)
    imagenet(tmp_path)
    written(tmp_path / "imagenet" / "classnames.txt", "n01440764 tench\n")
    with pytest.raises(ObvertError, match="need a line for n01484850"):
        read("imagenet", tmp_path)
