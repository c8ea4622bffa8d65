"""The data sets of CoOp in its own layout: test pictures search the training pictures, validation is left out.

Layout: ROOT/NAME/PICTURES/ and ROOT/NAME/split_zhou_CLASS.json with {"train", "val", "test"}: lists of [path, label, class
name]. FGVC aircraft: ROOT/fgvc_aircraft/data/{images/, variants.txt, images_variant_{train,test}.txt}.

References:
    | Learning to Prompt for Vision-Language Models (Zhou et al., 2022)
    | https://arxiv.org/abs/2109.01134
"""

from __future__ import annotations

from pathlib import Path

from obvert.core import ObvertError, PictureSet
from obvert.datasets._files import folder, parsed, rows, text

SPLITS = {
    "caltech-101": ("101_ObjectCategories", "Caltech101"),
    "dtd": ("images", "DescribableTextures"),
    "eurosat": ("2750", "EuroSAT"),
    "food-101": ("images", "Food101"),
    "oxford_flowers": ("jpg", "OxfordFlowers"),
    "oxford_pets": ("images", "OxfordPets"),
    "stanford_cars": (".", "StanfordCars"),
    "sun397": ("SUN397", "SUN397"),
    "ucf101": ("UCF-101-midframes", "UCF101"),
}
"""{name: (folder of pictures, end of the split file's name)}."""
VARIANTS = (*SPLITS, "fgvc_aircraft")


def read(root: Path, variant: str) -> PictureSet:
    """Find the pictures; ObvertError names a missing or damaged file."""
    return _aircraft(root) if variant == "fgvc_aircraft" else _zhou(root, variant)


def _zhou(root: Path, variant: str) -> PictureSet:
    pictures, name = SPLITS[variant]
    place = folder(root / variant)
    split = place / f"split_zhou_{name}.json"
    table = parsed(split)
    try:
        test, train = ([(str(path), int(label), str(kind)) for path, label, kind in table[part]] for part in ("test", "train"))
    except (KeyError, TypeError, ValueError) as error:
        raise ObvertError(f'{split}: need {{"train", "test"}} with lists of [path, label, class name]') from error
    return _split(
        [(place / pictures / path, label) for path, label, _ in test],
        [(place / pictures / path, label) for path, label, _ in train],
        {label: kind for _, label, kind in (*test, *train)},
    )


def _aircraft(root: Path) -> PictureSet:
    place = folder(root / "fgvc_aircraft" / "data")
    classes = [line.strip() for line in text(place / "variants.txt").splitlines() if line.strip()]
    index = {name: i for i, name in enumerate(classes)}

    def part(name: str) -> list[tuple[Path, int]]:
        file = place / f"images_variant_{name}.txt"
        found = rows(file, 2)
        if strange := [kind for _, kind in found if kind not in index]:
            raise ObvertError(f"{file}: need a variant of variants.txt, got {strange[0]!r}")
        return [(place / "images" / f"{picture}.jpg", index[kind]) for picture, kind in found]

    return _split(part("test"), part("train"), dict(enumerate(classes)))


def _split(test: list[tuple[Path, int]], train: list[tuple[Path, int]], names: dict[int, str]) -> PictureSet:
    """Queries first, then the gallery; labels counted from 0 in their order."""
    index = {label: i for i, label in enumerate(sorted(names))}
    both = [*test, *train]
    return PictureSet(
        paths=[path for path, _ in both],
        labels=[index[label] for _, label in both],
        classes=[names[label].replace("_", " ") for label in index],
        queries=list(range(len(test))),
        gallery=list(range(len(test), len(both))),
    )
