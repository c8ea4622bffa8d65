"""Captions of pictures, several of each: the first caption of a picture searches the others of all pictures.

Layouts: ROOT/coco/dataset_coco.json and ROOT/flickr30k/dataset_flickr30k.json, Karpathy's splits, of which the test part is
taken; ROOT/nocaps/nocaps_val_4500_captions.json. Pictures are not needed.

References:
    | Deep Visual-Semantic Alignments for Generating Image Descriptions (Karpathy and Fei-Fei, 2015)
    | https://arxiv.org/abs/1412.2306
    | nocaps: novel object captioning at scale (Agrawal et al., 2019)
    | https://arxiv.org/abs/1812.08658
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from obvert.core import ObvertError, TextSet
from obvert.datasets._files import parsed

KARPATHY = {"coco": "dataset_coco.json", "flickr30k": "dataset_flickr30k.json"}
VARIANTS = (*KARPATHY, "nocaps")


def read(root: Path, variant: str) -> TextSet:
    """Read the captions; ObvertError names a missing or damaged file."""
    path = root / variant / KARPATHY.get(variant, "nocaps_val_4500_captions.json")
    table = parsed(path)
    try:
        pairs = [(str(key), str(text).strip()) for key, text in (_karpathy(table) if variant in KARPATHY else _nocaps(table))]
    except (KeyError, TypeError) as error:
        raise ObvertError(f"{path}: need the layout of its publishers, got another one ({error!r})") from error
    if not pairs:
        raise ObvertError(f"{path}: need captions of its test pictures, got none")
    index = {key: i for i, key in enumerate(dict.fromkeys(key for key, _ in pairs))}
    return TextSet(texts=[text for _, text in pairs], groups=[index[key] for key, _ in pairs])


def _karpathy(table: Any) -> Iterable[tuple[str, str]]:
    for i, image in enumerate(table["images"]):
        if image["split"] == "test":
            for sentence in image["sentences"]:
                yield str(i), sentence["raw"]


def _nocaps(table: Any) -> Iterable[tuple[str, str]]:
    for said in table["annotations"]:
        yield said["image_id"], said["caption"]
