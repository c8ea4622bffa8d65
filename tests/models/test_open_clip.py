"""open_clip: equal to the library's own code, its short cuts exact in value and gradient, the rest refused in one line."""

from __future__ import annotations

import json
import sys
import time
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
from obvert import hub
from obvert.core import ObvertError
from obvert.models import open_clip as family
from obvert.models.parts.transformer import Block

open_clip = pytest.importorskip("open_clip", reason="needs the extra openclip", exc_type=ImportError)

CPU = torch.device("cpu")
SOT, PREFIX, END, CONTEXT = 49406, [320, 1125, 539], 49407, 24
VISION = {"layers": 2, "width": tiny.WIDTH, "head_width": 16, "patch_size": tiny.PATCH, "image_size": tiny.SIDE, "mlp_ratio": 1.5}
TEXT = {"layers": 2, "width": tiny.WIDTH, "heads": 2, "context_length": CONTEXT, "vocab_size": 49408}
CONFIG = {"embed_dim": 16, "quick_gelu": True, "vision_cfg": VISION, "text_cfg": TEXT}
PREPROCESS = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "interpolation": "bilinear"}


def write(folder: Path, **parts: dict[str, Any]) -> Path:
    """A folder with a random model; `parts` are added to vision_cfg and text_cfg."""
    from safetensors.torch import save_file

    config = {key: {**value, **parts.get(key, {})} if isinstance(value, dict) else value for key, value in CONFIG.items()}
    model = tiny.roughen(open_clip.model.CLIP(**config))
    save_file({name: w.contiguous() for name, w in model.state_dict().items()}, folder / family.WEIGHTS[0])
    (folder / family.CONFIG).write_text(json.dumps({"model_cfg": config, "preprocess_cfg": PREPROCESS}))
    return folder


@pytest.fixture(scope="module", params=["plain", "layer scale"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    scaled = {"ls_init_value": 0.5} if request.param == "layer scale" else {}
    return write(tmp_path_factory.mktemp("open_clip"), vision_cfg=scaled, text_cfg=scaled)


@pytest.fixture
def truth(folder: Path) -> Any:
    return open_clip.create_model(f"local-dir:{folder}").eval().requires_grad_(False)


def test_features_equal_open_clip(folder: Path, truth: Any) -> None:
    model = obvert.load(f"open_clip:{folder}", device="cpu")
    preprocess = open_clip.image_transform(tiny.SIDE, is_train=False, **PREPROCESS)
    images = [Image.fromarray((p * 255).round().byte().permute(1, 2, 0).numpy()) for p in tiny.pictures()]
    with torch.no_grad():
        image = truth.encode_image(torch.stack([preprocess(i) for i in images]))
        text = truth.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")(tiny.TEXTS))
    for ours, theirs in ((model.image_features(tiny.pictures()), image), (model.text_features(tiny.TEXTS), text)):
        torch.testing.assert_close(ours.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(ours, normalize(theirs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("size", [(32, 32), (33, 61), (64, 35), (39, 32), (300, 71)])
def test_preprocessing_equals_open_clip(mode: str, size: tuple[int, int]) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    truth = open_clip.image_transform(32, is_train=False, resize_mode=mode, **PREPROCESS)(image)
    picture = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    (ours,) = family.read_preprocess({**PREPROCESS, "resize_mode": mode}, 32)([picture])
    torch.testing.assert_close(ours, truth, rtol=0, atol=1e-5)


@pytest.mark.parametrize("tokens", [1, 2, 4])
def test_text_from_tokens_is_exact(folder: Path, truth: Any, tokens: int) -> None:
    ids = [SOT, *PREFIX, *[7] * tokens, END]
    ids += [0] * (CONTEXT - len(ids))
    truth.double()

    def slow(v: Tensor) -> Tensor:
        return tiny.slow_text(truth.token_embedding, truth.encode_text, ids, 1 + len(PREFIX), v)

    fast = family.load(str(folder), CPU, torch.float64).text_from_tokens(tokens)
    tiny.assert_same(fast, slow, tiny.draw(3, *fast.shape))


@pytest.mark.parametrize("patches", [1, 2, 4])
def test_image_from_patches_is_exact(folder: Path, truth: Any, patches: int) -> None:
    truth.double()
    fast = family.load(str(folder), CPU, torch.float64).image_from_patches(patches)
    tiny.assert_same(fast, lambda w: tiny.slow_image(truth.visual.conv1, truth.encode_image, w), tiny.draw(3, *fast.shape))


def test_batches_half_precision_and_frozen_shared_weights(folder: Path) -> None:
    tiny.assert_a_batch_equals_its_samples(family.load(str(folder), CPU, torch.float64))
    tiny.assert_close_in_bfloat16(lambda dtype: obvert.load(f"open_clip:{folder}", device="cpu", dtype=dtype))
    model = obvert.load(f"open_clip:{folder}", device="cpu")
    tiny.assert_frozen(model)
    v, w = torch.ones(1, 1, tiny.WIDTH), torch.ones(1, 2, tiny.WIDTH)
    tiny.assert_shared(model, "transformer.resblocks.1.attn.in_proj_weight", lambda: model.text_from_tokens(1)(v))
    tiny.assert_shared(model, "visual.transformer.resblocks.0.attn.in_proj_weight", lambda: model.image_from_patches(2)(w))
    assert model.default_patches == 1
    image, text = model.projections()
    assert image.shape == text.shape == (16, tiny.WIDTH)
    assert text.data_ptr() == model.parameters()["text_projection"].data_ptr()


def test_a_wrong_fast_path_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = family._block

    def wrong(layer: Any) -> Block:
        block = right(layer)
        return Block(**{**vars(block), "query": block.key})

    monkeypatch.setattr(family, "_block", wrong)
    with pytest.raises(ObvertError, match="the fast text path differs"):
        obvert.load(f"open_clip:{folder}", device="cpu")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"text_cfg": {"no_causal_mask": True}}, "text that is not causal"),
        ({"text_cfg": {"pool_type": "last"}}, "text not read at its end token"),
        ({"text_cfg": {"hf_model_name": "roberta-base"}}, "a text tower of transformers"),
        ({"vision_cfg": {"timm_model_name": "vit_base"}}, "an image tower of timm"),
        ({"vision_cfg": {"layers": [1, 1, 1, 1]}}, "a ResNet image tower"),
        ({"vision_cfg": {"pool_type": "avg"}}, "pictures not read at the class token"),
        ({"vision_cfg": {"qk_norm": True}}, "blocks with Attention of its own"),
        ({"text_cfg": {"pool_type": "eos", "eos_id": 2}}, "the fast text path differs"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, part: dict[str, Any], message: str) -> None:
    weights = message.startswith(("blocks", "the fast"))
    write(tmp_path, **(part if weights else {}))
    config = json.loads((tmp_path / family.CONFIG).read_text())
    for key, value in part.items():
        config["model_cfg"][key].update(value)
    (tmp_path / family.CONFIG).write_text(json.dumps(config))
    with pytest.raises(ObvertError, match=message):
        obvert.load(f"open_clip:{tmp_path}", device="cpu")


def test_a_missing_or_broken_file_is_one_line(tmp_path: Path) -> None:
    weights = write(tmp_path) / family.WEIGHTS[0]
    whole = weights.read_bytes()
    weights.unlink()
    torch.save({}, tmp_path / "open_clip_pytorch_model.bin")
    for content, message in ((None, "got none; pickles are not loaded"), (whole[:999], "need an open_clip"), (b"", "need an")):
        if content is not None:
            weights.write_bytes(content)
        with pytest.raises(ObvertError, match=message) as caught:
            obvert.load(f"open_clip:{tmp_path}", device="cpu")
        assert "\n" not in str(caught.value)
    (tmp_path / family.CONFIG).write_text("{}")
    with pytest.raises(ObvertError, match="with a model_cfg in"):
        obvert.load(f"open_clip:{tmp_path}", device="cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-33/laion2b_s34b_b79k", "nearest are .*ViT-B-32/laion2b_s34b_b79k"),
        ("ViT-B-32/laion2b_s34b_b80k", "nearest are .*ViT-B-32/laion2b_s34b_b79k"),
        ("no/such/folder", "unknown open_clip model"),
        ("ViT-B-32/openai", "say ViT-B-32-quickgelu/openai"),
        ("RN50/openai", "ResNet|say RN50-quickgelu/openai"),
        ("ViT-B-16-SigLIP/webli", "not supported"),
    ],
)
def test_names_that_are_not_there(name: str, message: str) -> None:
    with pytest.raises(ObvertError, match=message):
        obvert.load(f"open_clip:{name}", device="cpu")


def test_no_network_says_what_there_is_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://hub.invalid")
    began = time.perf_counter()
    with pytest.raises(ObvertError, match=r"cannot be reached; .*folder.*open_clip:FOLDER"):
        obvert.load("open_clip:ViT-B-32/laion2b_s34b_b79k", device="cpu")
    assert time.perf_counter() - began < 2 * hub.PATIENCE


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ObvertError, match=r"pip install 'obvert\[openclip\]'"):
        obvert.load("open_clip:ViT-B-32/laion2b_s34b_b79k", device="cpu")


def test_gradients_reach_the_pictures(folder: Path) -> None:
    model = obvert.load(f"open_clip:{folder}", device="cpu")
    picture: Tensor = tiny.pictures()[0].requires_grad_()
    (grad,) = torch.autograd.grad(model.pixels_to_features(model.preprocess([picture])).sum(), picture)
    assert grad.abs().max() > 0
