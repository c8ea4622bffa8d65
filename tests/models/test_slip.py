"""SLIP: equal to timm's picture tower and a plain text transformer, its short cuts exact, and one line for bad folders."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slip_reference as slow
import tiny
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

import obvert
from obvert.core import ObvertError
from obvert.models import slip

pytest.importorskip("timm", reason="needs the extra openclip", exc_type=ImportError)

CPU = torch.device("cpu")
PREFIX = slow.sentence("a photo of")[: slow.sentence("a photo of").index(slow.WORDS[slow.EOT])]


@pytest.fixture(scope="module", params=["", "module."])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return slow.write(tmp_path_factory.mktemp("slip"), request.param)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return slow.write(tmp_path)


def test_features_equal_the_reference(folder: Path) -> None:
    model, truth = obvert.load(str(folder), device="cpu"), slow.reference()
    mean, std = (np.array(slow.PREPROCESS[key]) for key in ("image_mean", "image_std"))
    pictures, pixels = [*tiny.pictures(), torch.arange(39 * 96).reshape(3, 39, 32) % 256 / 255], []
    for picture in pictures:
        image = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
        short = min(image.size)
        image = image.resize([int(tiny.SIDE * edge / short) for edge in image.size], Image.Resampling.BILINEAR)
        left, top = (round((edge - tiny.SIDE) / 2) for edge in image.size)  # as torchvision
        array = np.asarray(image.crop((left, top, left + tiny.SIDE, top + tiny.SIDE))) / 255
        pixels.append(torch.from_numpy((array - mean) / std).permute(2, 0, 1).float())
    image, text = truth.encode_image(torch.stack(pixels)), truth.encode_text(torch.tensor([*map(slow.sentence, tiny.TEXTS)]))
    for ours, theirs in ((model.image_features(pictures), image), (model.text_features(tiny.TEXTS), text)):
        torch.testing.assert_close(ours.norm(dim=1), torch.ones(len(ours)))
        torch.testing.assert_close(ours, normalize(theirs), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.text_features(["a photo " * 30]).norm(dim=1), torch.ones(1))  # cut, its end token kept


@pytest.mark.parametrize("tokens", [1, 2, 4, 67])
def test_text_from_tokens_is_exact(folder: Path, tokens: int) -> None:
    ids, truth = slow.pad([*PREFIX, *[7] * tokens, slow.WORDS[slow.EOT]]), slow.reference().double()
    fast = slip.load(folder, tiny.CARD, CPU, torch.float64).text_from_tokens(tokens)
    through = truth.token_embedding
    tiny.assert_same(fast, lambda v: tiny.slow_text(through, truth.encode_text, ids, len(PREFIX), v), tiny.draw(3, *fast.shape))


@pytest.mark.parametrize("patches", [1, 2, 3, 16])
def test_image_from_patches_is_exact(folder: Path, patches: int) -> None:
    truth = slow.reference().double()
    fast = slip.load(folder, tiny.CARD, CPU, torch.float64).image_from_patches(patches)
    through = truth.visual.patch_embed.proj
    tiny.assert_same(fast, lambda w: tiny.slow_image(through, truth.encode_image, w), tiny.draw(3, *fast.shape))


def test_batches_half_precision_and_frozen_shared_weights(folder: Path) -> None:
    tiny.assert_a_batch_equals_its_samples(slip.load(folder, tiny.CARD, CPU, torch.float64))
    tiny.assert_close_in_bfloat16(lambda dtype: obvert.load(str(folder), device="cpu", dtype=dtype))
    model = obvert.load(str(folder), device="cpu")
    tiny.assert_frozen(model)
    v, w = torch.ones(1, 1, tiny.WIDTH), torch.ones(1, 2, tiny.WIDTH)
    tiny.assert_shared(model, "transformer.resblocks.1.attn.in_proj_weight", lambda: model.text_from_tokens(1)(v))
    tiny.assert_shared(model, "visual.blocks.0.attn.qkv.weight", lambda: model.image_from_patches(2)(w))
    image, text = model.projections()
    assert image.shape == text.shape == (slow.DIMENSION, tiny.WIDTH)
    assert model.default_patches == 1
    assert slip.PATCHES == {768: 1, 1024: 2}


def test_tokenizer_json_does_as_well(copy: Path) -> None:
    from transformers import CLIPTokenizer

    before = obvert.load(str(copy), device="cpu").text_features(tiny.TEXTS)
    CLIPTokenizer.from_pretrained(copy).save_pretrained(copy)
    (copy / "vocab.json").unlink()
    assert torch.equal(obvert.load(str(copy), device="cpu").text_features(tiny.TEXTS), before)


def test_a_published_pickle_is_converted_as_the_docstring_says(copy: Path, tmp_path: Path) -> None:
    weights = {f"module.{name}": weight for name, weight in load_file(copy / "model.safetensors").items()}
    torch.save({"state_dict": weights, "epoch": 99, "args": argparse.Namespace(model="SLIP_VITB16")}, tmp_path / "slip.pt")
    before = obvert.load(str(copy), device="cpu").text_features(tiny.TEXTS)
    (copy / "model.safetensors").unlink()
    with pytest.raises(
        ObvertError, match=r"need model.safetensors in .*, got slip.pt; convert outside obvert with torch.load and"
    ):
        obvert.load(str(copy), device="cpu")
    with torch.serialization.safe_globals([argparse.Namespace]):
        state = torch.load(tmp_path / "slip.pt", map_location="cpu", weights_only=True)["state_dict"]
    save_file({name: w.contiguous() for name, w in state.items()}, copy / "model.safetensors")
    assert torch.equal(obvert.load(str(copy), device="cpu").text_features(tiny.TEXTS), before)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ln_final.weight", "got none named ln_final.weight; convert outside"),
        ("visual.blocks.1.attn.qkv.bias", "got none named visual.blocks.1.attn.qkv.bias"),
        ("token_embedding.weight", "got none named token_embedding.weight"),
    ],
)
def test_missing_tensors_are_named(copy: Path, name: str, message: str) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights[name]
    save_file(weights, copy / "model.safetensors")
    refuse(copy, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_size": 16}, "weights of the sizes in config.json"),
        ({"image_size": 64}, "weights of the sizes in config.json"),
        ({"vision_heads": None}, "got no vision_heads"),
        ({"text_heads": 5}, "need SLIP's weights"),
        ({"vision_heads": 5}, "a width of 32, which 5 heads do not divide"),
    ],
)
def test_wrong_sizes_are_named(copy: Path, change: dict[str, Any], message: str) -> None:
    (copy / "config.json").write_text(json.dumps({**slow.CONFIG, **change}))
    refuse(copy, message)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model.safetensors", "got no weights; convert"),
        ("vocab.json", "need CLIP's tokenizer.json, or vocab.json and merges.txt"),
        ("preprocessor_config.json", "need preprocessor_config.json"),
    ],
)
def test_a_missing_or_broken_file_is_one_line(copy: Path, file: str, message: str) -> None:
    whole = (copy / file).read_bytes()
    (copy / file).unlink()
    refuse(copy, message)
    (copy / file).write_bytes(whole[: len(whole) // 2])
    refuse(copy, "need|Expecting|expected")


def test_pictures_of_another_size_are_refused(copy: Path) -> None:
    (copy / "preprocessor_config.json").write_text(json.dumps({**slow.PREPROCESS, "size": 48, "crop_size": 48}))
    refuse(copy, "need pictures of 32x32 in .*preprocessor_config.json, got 48x48")


def test_a_wrong_fast_path_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tower in ("text", "picture"):
        right = getattr(slip, f"_{tower}_block")

        def wrong(layer: Any, right: Any = right) -> Any:
            block = right(layer)
            return type(block)(**{**vars(block), "query": block.key})

        monkeypatch.setattr(slip, f"_{tower}_block", wrong)
        refuse(folder, f"the fast {'text' if tower == 'text' else 'image'} path differs")
        monkeypatch.setattr(slip, f"_{tower}_block", right)


def refuse(folder: Path, message: str) -> None:
    with pytest.raises(ObvertError, match=message) as caught:
        obvert.load(str(folder), device="cpu")
    assert "\n" not in str(caught.value)
