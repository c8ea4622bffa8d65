"""A folder whose own preprocessing differs from ours is refused, and the step is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_readers as readers
import tiny_vlms as vlms
import torch
import transformers
from tiny_vlm_truth import Truth
from transformers.image_processing_backends import PilBackend

import obvert
from obvert.core import ObvertError

NAMES = ("llava", "llava-next", "qwen2-5-vl", "idefics3", "internvl")


@pytest.fixture(scope="module")
def truths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Truth]:
    return {name: vlms.FAMILIES[name](tmp_path_factory.mktemp(name)) for name in NAMES}


def refused(folder: Path, told: str) -> None:
    with pytest.raises(ObvertError, match=told) as caught:
        obvert.load(str(folder), device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_named(name: str, truths: dict[str, Truth], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = truths[name].folder
    told = f"need the folder's own preprocessing of {folder} to equal ours, got another "
    resize, rescale, normalize = PilBackend.resize, PilBackend.rescale, PilBackend.normalize
    with monkeypatch.context() as patch:
        patch.setattr(PilBackend, "normalize", lambda self, image, mean, std: normalize(self, image, mean, std) + 1e-4)
        refused(folder, told + "normalisation of a picture of")
    with monkeypatch.context() as patch:
        patch.setattr(PilBackend, "rescale", lambda self, image, scale: rescale(self, image, scale * 1.001))
        refused(folder, told + "rescaling")
    with monkeypatch.context() as patch:
        patch.setattr(PilBackend, "resize", lambda self, image, size, resample, **more: resize(self, image, size, 0))
        refused(folder, told + "resizing")
    assert obvert.load(str(folder), device="cpu").card.family == name


def test_other_tiles_and_orders_are_named(truths: dict[str, Truth], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = transformers.Idefics3ImageProcessorPil.split_images
    for change, told in (
        (lambda frames: frames[:-1], r"tiling \(\(5, 3, 16, 16\), not \(1, 4, 3, 16, 16\)\)"),
        (lambda frames: frames[::-1], "order of tiles or patches"),
    ):

        def split(self, *given, _change=change, **more):
            frames, rows, columns = whole(self, *given, **more)
            return _change(frames), rows, columns

        with monkeypatch.context() as patch:
            patch.setattr(transformers.Idefics3ImageProcessorPil, "split_images", split)
            refused(truths["idefics3"].folder, f"got another {told}")
    patchify = transformers.Qwen2VLImageProcessorPil.patchify

    def shuffled(self, *given, **more):
        patches, *grid = patchify(self, *given, **more)
        return np.flip(patches, 0).copy(), *grid

    monkeypatch.setattr(transformers.Qwen2VLImageProcessorPil, "patchify", shuffled)
    refused(truths["qwen2-5-vl"].folder, "got another order of tiles or patches of a picture of 32x32")


@pytest.fixture
def copied(truths: dict[str, Truth], tmp_path: Path) -> Callable[[str], Path]:
    """A folder of its own to break."""
    return lambda name: Path(shutil.copytree(truths[name].folder, tmp_path / name, dirs_exist_ok=True))


def test_settings_that_ours_cannot_follow_are_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("internvl")
    readers.change(folder / "preprocessor_config.json", min_patches=9)  # more tiles than ours ever cuts
    refused(folder, "got another tiling")
    readers.change(folder / "preprocessor_config.json", min_patches=1, max_patches=3)
    model = obvert.load(str(folder), device="cpu")
    assert (model.medium.shape, model.features.shape) == ((3, 16, 16), (1, 3, 16, 16))
    folder = copied("qwen2-5-vl")
    readers.change(folder / "preprocessor_config.json", size={"shortest_edge": 50, "longest_edge": 60})
    refused(folder, "need room for a square of 4 pixels in .*, got 50..60 pixels")
    readers.change(folder / "preprocessor_config.json", min_pixels=1, max_pixels=100)
    assert obvert.load(str(folder), device="cpu").medium.shape == (3, 8, 8)
    folder = copied("idefics3")
    path = folder / "processor_config.json"
    config = json.loads(path.read_text())
    for settings, told in (
        ({"max_image_size": {"longest_edge": 8}}, "need size by longest_edge and max_image_size of 16 in"),
        ({"size": {"longest_edge": 33}}, "got another resizing of a picture of 33x33"),  # it makes odd edges even
    ):
        path.write_text(json.dumps({**config, "image_processor": {**config["image_processor"], **settings}}))
        refused(folder, told)
    for settings, edge, tiles in (({"do_image_splitting": False}, 32, 1), ({"size": {"longest_edge": 40}}, 40, 10)):
        path.write_text(json.dumps({**config, "image_processor": {**config["image_processor"], **settings}}))
        model = obvert.load(str(folder), device="cpu")
        assert (model.medium.shape, model.features.shape) == ((3, edge, edge), (tiles, 3, 16, 16))
        grey = torch.full(model.medium.shape, 0.4)
        torch.testing.assert_close(model.back(model.front([grey]))[0], grey)


def test_folders_need_an_image_processor(copied: Callable[[str], Path]) -> None:
    folder = copied("llava")
    readers.change(folder / "processor_config.json", image_processor={"image_processor_type": "NoSuchProcessor", "size": 16})
    refused(folder, "need .* in ")


@pytest.mark.parametrize("name", ["blip", "blip-2 of OPT", "blip-2 of T5"])
def test_steps_of_captioners_are_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = readers.FAMILIES[name](tmp_path).folder
    told = f"need the folder's own preprocessing of {folder} to equal ours, got another "
    resize, rescale, normalize = PilBackend.resize, PilBackend.rescale, PilBackend.normalize
    steps: dict[str, tuple[Callable[..., Any], str]] = {
        "normalize": (lambda self, image, mean, std: normalize(self, image, mean, std) + 1e-4, "normalisation of .* 32x32"),
        "rescale": (lambda self, image, scale: rescale(self, image, scale * 1.001), "rescaling of .* 32x32"),
        "resize": (lambda self, image, size, resample, **more: resize(self, image, size, 0), "resizing of .* 48x24"),
    }
    for step, (broken, where) in steps.items():  # a picture of the right size shows nothing of the resizing
        with monkeypatch.context() as patch:
            patch.setattr(PilBackend, step, broken)
            refused(folder, f"^{told}{where}$")
    assert obvert.load(str(folder), device="cpu").card.family == name.split(" ")[0]
