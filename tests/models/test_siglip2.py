"""SigLIP 2, both kinds: equal to transformers and its processors, OTI and OVI exact, padding on the right and kept."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

import obvert
from obvert.core import ObvertError
from obvert.io import read_images
from obvert.models import siglip, siglip2
from obvert.models.parts.naflex import NaflexPreprocess, grid

CPU = torch.device("cpu")
PHOTOS = sorted((Path(__file__).parents[3] / "shared/data/photos").glob("*.png"))
SIZES = [(64, 64), (65, 63), (300, 71), (71, 300), (500, 9), (3, 400), (1, 1), (7, 5), (640, 427), (32, 32)]
IDS = tiny.GEMMA_PREFIX


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_siglip2_fixed(tmp_path_factory.mktemp("fixed"))


@pytest.fixture(scope="module")
def naflex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_siglip2(tmp_path_factory.mktemp("naflex"))


def difference(processor: Any, images: list[Image.Image]) -> float:
    truth = processor(images, return_tensors="pt")
    ours = NaflexPreprocess.from_config(processor.to_dict())(read_images(images))
    assert torch.equal(ours.mask, truth["pixel_attention_mask"])
    assert torch.equal(ours.shapes, truth["spatial_shapes"])
    assert ours.values.shape == truth["pixel_values"].shape
    return (ours.values - truth["pixel_values"]).abs().max().item()


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("settings", [{}, {"patch_size": 8, "max_num_patches": 20, "resample": 3}, {"max_num_patches": 1}])
def test_preprocessing_equals_the_processor(settings: dict[str, Any]) -> None:
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    assert difference(Siglip2ImageProcessorPil(**settings), [noise(*size) for size in SIZES]) < 1e-5
    if not settings and PHOTOS:
        assert difference(Siglip2ImageProcessorPil(), [Image.open(path).convert("RGB") for path in PHOTOS[2:4]]) < 1e-5


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="needs the extra openclip")
def test_preprocessing_is_within_a_level_of_the_torchvision_processor() -> None:
    from transformers import Siglip2ImageProcessor

    assert difference(Siglip2ImageProcessor(), [noise(*size) for size in SIZES]) < 1.01 * 2 / 255


@pytest.mark.parametrize("most", [1, 9, 256])
def test_no_grid_is_larger_than_allowed(most: int) -> None:
    for width, height in [*SIZES, (1, 100_000)]:
        rows, columns = grid(height, width, 16, most)
        assert min(rows, columns) >= 1
        assert math.prod((rows, columns)) <= most


def test_preprocessing_passes_gradients_and_a_batch_equals_its_samples() -> None:
    preprocess = NaflexPreprocess.from_config({"patch_size": 8, "max_num_patches": 16})
    pictures = [torch.rand(3, h, w).requires_grad_() for h, w in ((40, 61), (32, 32), (61, 40), (40, 61))]
    batch = preprocess(pictures)
    for i, picture in enumerate(pictures):
        alone = preprocess([picture])
        assert torch.equal(alone.values[0], batch.values[i])
        assert torch.equal(alone.mask[0], batch.mask[i])
        (grad,) = torch.autograd.grad(batch.values[i].square().sum(), picture, retain_graph=True)
        assert (grad != 0).float().mean() > 0.9


def test_fixed_resolution_equals_transformers(fixed: Path) -> None:
    from transformers import AutoTokenizer, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    model, truth = obvert.load(str(fixed), device="cpu"), SiglipModel.from_pretrained(fixed).eval()
    assert model.card.family == "siglip"
    assert type(AutoTokenizer.from_pretrained(fixed)).__name__ == "GemmaTokenizer"
    pixels = SiglipImageProcessorPil.from_pretrained(fixed)(
        [p.mul(255).round().byte() for p in tiny.pictures()], return_tensors="pt"
    )
    assert_features(model, truth.get_image_features(**pixels).pooler_output, fixed, truth)


def test_naflex_equals_transformers(naflex: Path) -> None:
    from transformers import Siglip2Model
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    model, truth = obvert.load(str(naflex), device="cpu"), Siglip2Model.from_pretrained(naflex).eval()
    inputs = Siglip2ImageProcessorPil.from_pretrained(naflex)(
        [p.mul(255).round().byte() for p in tiny.pictures()], return_tensors="pt"
    )
    assert (inputs["pixel_attention_mask"].sum(1) < 16).any()
    assert len(inputs["spatial_shapes"].unique(dim=0)) == 3
    assert_features(model, truth.get_image_features(**inputs).pooler_output, naflex, truth)
    torch.testing.assert_close(
        torch.cat([model.image_features([picture]) for picture in tiny.pictures()]), model.image_features(tiny.pictures())
    )


def assert_features(model: Any, image: Tensor, folder: Path, truth: Any) -> None:
    from transformers import AutoTokenizer

    ids = AutoTokenizer.from_pretrained(folder)(tiny.TEXTS, padding="max_length", max_length=64, return_tensors="pt")["input_ids"]
    assert ids[0].tolist()[: len(IDS)] == IDS
    assert ids[2].tolist() == [12, 23, 10, 10, 19, 1, *[0] * 58]
    text = truth.get_text_features(ids).pooler_output
    for ours, theirs in ((model.image_features(tiny.pictures()), image), (model.text_features(tiny.TEXTS), text)):
        torch.testing.assert_close(ours.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(ours, normalize(theirs.detach()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["fixed", "naflex"])
def test_texts_are_lowered_and_padded_on_the_right(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = request.getfixturevalue(kind)
    before = obvert.load(str(folder), device="cpu").text_features(tiny.TEXTS)
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del config["padding_side"]  # Gemma's own is left
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    bare = obvert.load(str(tmp_path), device="cpu")
    assert torch.equal(bare.text_features([text.upper() for text in tiny.TEXTS]), before)
    assert bare.text_features(["word " * 99]).isfinite().all()


@pytest.mark.parametrize("tokens", [1, 2, 53])
def test_naflex_text_from_tokens_is_exact(naflex: Path, tokens: int) -> None:
    from transformers import Siglip2Model

    truth, ids = Siglip2Model.from_pretrained(naflex).eval().double(), [*IDS, *[7] * tokens, 1, *[0] * (53 - tokens)]
    fast = siglip2.load(naflex, tiny.CARD, CPU, torch.float64).text_from_tokens(tokens)
    through = truth.text_model.embeddings.token_embedding

    def slow(v: Tensor) -> Tensor:
        return tiny.slow_text(through, lambda ids: truth.get_text_features(ids).pooler_output, ids, len(IDS), v)

    tiny.assert_same(fast, slow, tiny.draw(2, *fast.shape))


@pytest.mark.parametrize(("most", "patches"), [(16, 1), (16, 3), (16, 16), (20, 4), (9, 2), (36, 5)])
def test_naflex_image_from_patches_is_exact(tmp_path: Path, most: int, patches: int) -> None:
    """Spread over the largest square within `most`, its positions resized where it is not the model's own 4 x 4."""
    from transformers import Siglip2Model

    truth, side = Siglip2Model.from_pretrained(tiny.write_siglip2(tmp_path, most)).eval().double(), math.isqrt(most)
    fast = siglip2.load(tmp_path, tiny.CARD, CPU, torch.float64).image_from_patches(patches)
    tiny.assert_same(fast, lambda w: tiny.slow_square(truth, side, w), tiny.draw(2, *fast.shape))


def test_naflex_batches_half_precision_and_frozen_shared_weights(naflex: Path) -> None:
    tiny.assert_a_batch_equals_its_samples(siglip2.load(naflex, tiny.CARD, CPU, torch.float64))
    tiny.assert_close_in_bfloat16(lambda dtype: obvert.load(str(naflex), device="cpu", dtype=dtype))
    model = obvert.load(str(naflex), device="cpu")
    tiny.assert_frozen(model)
    v, w = torch.ones(1, 1, tiny.WIDTH), torch.ones(1, 2, tiny.WIDTH)
    tiny.assert_shared(model, "text_model.encoder.layers.1.mlp.fc1.weight", lambda: model.text_from_tokens(1)(v))
    tiny.assert_shared(model, "vision_model.embeddings.position_embedding.weight", lambda: model.image_from_patches(2)(w))
    assert model.default_patches == siglip.PATCHES
    with pytest.raises(ObvertError, match="two projection matrices"):
        model.projections()
    with pytest.raises(ObvertError, match="need 1 to 16 pseudo-patches in this picture, got 17"):
        model.image_from_patches(17)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_size": 16}, "need patches of 8 pixels in .*, got 16"),
        ({"do_resize": False}, "need do_resize on"),
        ({"max_num_patches": 0}, "max_num_patches of at least 1"),
        ({"resample": 9}, "resample number"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tiny.write_siglip2(tmp_path) / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    refuse(tmp_path, message)
    path.unlink()
    refuse(tmp_path, "need preprocessor_config.json in")


def test_a_fixed_model_with_pictures_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tiny.write_siglip2_fixed(tmp_path) / "preprocessor_config.json"
    path.write_text('{"image_processor_type": "Siglip2ImageProcessor", "max_num_patches": 256}')
    refuse(tmp_path, "need pictures of 32x32 in .*, got 224x224")
    path.write_text('{"image_processor_type": "Siglip2ImageProcessor", "size": {"height": 32, "width": 32}}')
    assert obvert.load(str(tmp_path), device="cpu").image_features(tiny.pictures()).shape == (3, tiny.WIDTH)


def refuse(folder: Path, message: str) -> None:
    with pytest.raises(ObvertError, match=message) as caught:
        obvert.load(str(folder), device="cpu")
    assert "\n" not in str(caught.value)
