"""CLIP: equal to transformers, its short cuts exact in value and gradient, and one line for whatever is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor
from torch.nn.functional import normalize

import obvert
from obvert.core import ObvertError
from obvert.models import clip
from obvert.zoo.words import tokenizer

CPU = torch.device("cpu")
PREFIX, END = tokenizer()("a photo of")["input_ids"][:-1], 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.fixture(scope="module")
def truth(folder: Path) -> Any:
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(folder).eval()


def test_features_equal_transformers(folder: Path, truth: Any) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = obvert.load(str(folder), device="cpu")
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    pixels = processor([p.mul(255).round().byte() for p in tiny.pictures()], return_tensors="pt")
    ids = tokenizer()(tiny.TEXTS, padding="max_length", max_length=32, return_tensors="pt")
    with torch.no_grad():
        image, text = truth.get_image_features(**pixels).pooler_output, truth.get_text_features(ids["input_ids"]).pooler_output
    for ours, theirs in ((model.image_features(tiny.pictures()), image), (model.text_features(tiny.TEXTS), text)):
        torch.testing.assert_close(ours.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(ours, normalize(theirs), rtol=1e-4, atol=1e-5)
    assert model.image_features([]).shape == model.text_features([]).shape == (0, model.dimension)


@pytest.mark.parametrize("tokens", [1, 2, 4, 27])
def test_text_from_tokens_is_exact(folder: Path, truth: Any, tokens: int) -> None:
    ids = [*PREFIX, *[7] * tokens, END, *[0] * (27 - tokens)]
    model = truth.double()

    def slow(v: Tensor) -> Tensor:
        embedding = model.text_model.embeddings.token_embedding
        return tiny.slow_text(embedding, lambda ids: model.get_text_features(ids).pooler_output, ids, len(PREFIX), v)

    fast = clip.load(folder, tiny.CARD, CPU, torch.float64).text_from_tokens(tokens)
    tiny.assert_same(fast, slow, tiny.draw(3, *fast.shape))
    truth.float()


@pytest.mark.parametrize("patches", [1, 2, 3, 4, 16])
def test_image_from_patches_is_exact(folder: Path, truth: Any, patches: int) -> None:
    model = truth.double()

    def slow(w: Tensor) -> Tensor:
        convolution = model.vision_model.embeddings.patch_embedding
        return tiny.slow_image(convolution, lambda pixels: model.get_image_features(pixels).pooler_output, w)

    fast = clip.load(folder, tiny.CARD, CPU, torch.float64).image_from_patches(patches)
    tiny.assert_same(fast, slow, tiny.draw(3, *fast.shape))
    truth.float()


def test_a_batch_equals_its_samples(folder: Path) -> None:
    tiny.assert_a_batch_equals_its_samples(clip.load(folder, tiny.CARD, CPU, torch.float64))


def test_no_weight_is_copied_or_changed(folder: Path) -> None:
    model = obvert.load(str(folder), device="cpu")
    tiny.assert_frozen(model)
    v, w = torch.ones(1, 1, tiny.WIDTH), torch.ones(1, 2, tiny.WIDTH)
    tiny.assert_shared(model, "text_model.encoder.layers.1.mlp.fc1.weight", lambda: model.text_from_tokens(1)(v))
    tiny.assert_shared(model, "vision_model.embeddings.position_embedding.weight", lambda: model.image_from_patches(2)(w))
    image, text = model.projections()
    assert image.data_ptr() == model.parameters()["visual_projection.weight"].data_ptr()
    assert text.data_ptr() == model.parameters()["text_projection.weight"].data_ptr()


def test_bfloat16_is_close(folder: Path) -> None:
    tiny.assert_close_in_bfloat16(lambda dtype: obvert.load(str(folder), device="cpu", dtype=dtype))


@pytest.mark.parametrize("what", ["text", "image"])
def test_a_wrong_fast_path_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    right, tower = clip._block, {"text": "text_tower", "image": "vision_tower"}[what]
    build = getattr(clip, tower)

    def wrong(*args: Any) -> Any:
        monkeypatch.setattr(clip, "_block", lambda layer: replace(right(layer), heads=4))
        built = build(*args)
        monkeypatch.setattr(clip, "_block", right)
        return built

    monkeypatch.setattr(clip, tower, wrong)
    with pytest.raises(ObvertError, match=f"the fast {what} path differs"):
        obvert.load(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("tokenizer.json", "need a tokenizer in"),
        ("preprocessor_config.json", "need preprocessor_config.json in"),
        ("model.safetensors", "need a CLIPModel in safetensors"),
        ("config.json", "need a model folder with config.json"),
    ],
)
def test_a_missing_or_broken_file_is_one_line(copy: Path, file: str, message: str) -> None:
    whole = (copy / file).read_bytes()
    (copy / file).unlink()
    with pytest.raises(ObvertError, match=message) as caught:
        obvert.load(str(copy), device="cpu")
    assert "\n" not in str(caught.value)
    (copy / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ObvertError) as caught:
        obvert.load(str(copy), device="cpu")
    assert "\n" not in str(caught.value)


def test_an_unknown_model_type_names_the_known(copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "clop"}')
    with pytest.raises(ObvertError, match=r"unknown model type 'clop'; .*clip") as caught:
        obvert.load(str(copy), device="cpu")
    assert "open" not in str(caught.value).split(" (in ")[0]  # its folders go by another file


def test_a_config_that_pools_at_a_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ObvertError, match="pools its text at the largest token id"):
        obvert.load(str(tiny.write_clip(tmp_path, eos_token_id=2)), device="cpu")


@pytest.mark.parametrize("count", [0, -1, 28])
def test_tokens_and_patches_out_of_range(folder: Path, count: int) -> None:
    model = obvert.load(str(folder), device="cpu")
    with pytest.raises(ObvertError, match="need 1 to 27 pseudo-tokens"):
        model.text_from_tokens(count)
    with pytest.raises(ObvertError, match="need 1 to 16 pseudo-patches"):
        model.image_from_patches(count)
