"""SigLIP: equal to transformers, pseudo-tokens and pseudo-patches exact in value and gradient, padding kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor
from torch.nn.functional import normalize

import obvert
from obvert.core import ObvertError
from obvert.models import siglip
from obvert.zoo.words import tokenizer

CPU = torch.device("cpu")
PREFIX, END = tokenizer()("a photo of")["input_ids"][1:-1], 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(scope="module")
def truth(folder: Path) -> Any:
    from transformers import SiglipModel

    return SiglipModel.from_pretrained(folder).eval().double()


def test_features_equal_transformers(folder: Path, truth: Any) -> None:
    from transformers import AutoTokenizer
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    model = obvert.load(str(folder), device="cpu")
    processor = SiglipImageProcessorPil.from_pretrained(folder)
    pixels = processor([p.mul(255).round().byte() for p in tiny.pictures()], return_tensors="pt")["pixel_values"]
    ids = AutoTokenizer.from_pretrained(folder)(tiny.TEXTS, padding="max_length", max_length=64, return_tensors="pt")["input_ids"]
    assert ids.shape == (3, 64)
    with torch.no_grad():
        image, text = truth.get_image_features(pixels.double()).pooler_output, truth.get_text_features(ids).pooler_output
    for ours, theirs in ((model.image_features(tiny.pictures()), image), (model.text_features(tiny.TEXTS), text)):
        torch.testing.assert_close(ours.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(ours, normalize(theirs).float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tokens", [1, 2, 4, 60])
def test_text_from_tokens_is_exact(folder: Path, truth: Any, tokens: int) -> None:
    ids = [*PREFIX, *[7] * tokens, END, *[0] * (60 - tokens)]

    def slow(v: Tensor) -> Tensor:
        embedding = truth.text_model.embeddings.token_embedding
        return tiny.slow_text(embedding, lambda ids: truth.get_text_features(ids).pooler_output, ids, len(PREFIX), v)

    fast = siglip.load(folder, tiny.CARD, CPU, torch.float64).text_from_tokens(tokens)
    tiny.assert_same(fast, slow, tiny.draw(3, *fast.shape))


@pytest.mark.parametrize("patches", [1, 2, 3, 4, 16])
def test_image_from_patches_is_exact(folder: Path, truth: Any, patches: int) -> None:
    def slow(w: Tensor) -> Tensor:
        convolution = truth.vision_model.embeddings.patch_embedding
        return tiny.slow_image(convolution, lambda pixels: truth.get_image_features(pixels).pooler_output, w)

    fast = siglip.load(folder, tiny.CARD, CPU, torch.float64).image_from_patches(patches)
    tiny.assert_same(fast, slow, tiny.draw(3, *fast.shape))


def test_a_batch_equals_its_samples(folder: Path) -> None:
    tiny.assert_a_batch_equals_its_samples(siglip.load(folder, tiny.CARD, CPU, torch.float64))


def test_bfloat16_is_close(folder: Path) -> None:
    tiny.assert_close_in_bfloat16(lambda dtype: obvert.load(str(folder), device="cpu", dtype=dtype))


def test_no_weight_is_copied_or_changed(folder: Path) -> None:
    model = obvert.load(str(folder), device="cpu")
    tiny.assert_frozen(model)
    v, w = torch.ones(1, 1, tiny.WIDTH), torch.ones(1, 2, tiny.WIDTH)
    tiny.assert_shared(model, "text_model.encoder.layers.1.mlp.fc1.weight", lambda: model.text_from_tokens(1)(v))
    tiny.assert_shared(model, "vision_model.embeddings.position_embedding.weight", lambda: model.image_from_patches(2)(w))


def test_it_has_no_projection_matrices(folder: Path) -> None:
    model = obvert.load(str(folder), device="cpu")
    assert model.default_patches == 4
    with pytest.raises(ObvertError, match="does not end in two projection matrices"):
        model.projections()


@pytest.mark.parametrize("what", ["text", "image"])
def test_a_wrong_fast_path_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    from transformers import SiglipModel

    other = SimpleNamespace(pooler_output=torch.ones(1, tiny.WIDTH))
    monkeypatch.setattr(SiglipModel, f"get_{what}_features", lambda *_args, **_kwargs: other)
    with pytest.raises(ObvertError, match=f"the fast {what} path differs"):
        obvert.load(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("tokenizer.json", "need a tokenizer in"),
        ("preprocessor_config.json", "need preprocessor_config.json in"),
        ("model.safetensors", "need a SiglipModel in safetensors"),
    ],
)
def test_a_missing_file_is_one_line(folder: Path, tmp_path: Path, file: str, message: str) -> None:
    for other in folder.iterdir():
        if other.name != file:
            (tmp_path / other.name).write_bytes(other.read_bytes())
    with pytest.raises(ObvertError, match=message) as caught:
        obvert.load(str(tmp_path), device="cpu")
    assert "\n" not in str(caught.value)


def test_tokens_and_patches_out_of_range(folder: Path) -> None:
    model = obvert.load(str(folder), device="cpu")
    with pytest.raises(ObvertError, match="need 1 to 60 pseudo-tokens in this context, got 61"):
        model.text_from_tokens(61)
    with pytest.raises(ObvertError, match="need 1 to 16 pseudo-patches in this picture, got 17"):
        model.image_from_patches(17)
