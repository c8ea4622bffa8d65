"""Preprocessing: equal to Hugging Face on 8-bit pictures, linear backwards, and the same alone as in a batch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from obvert.io import read_images
from obvert.models.parts.preprocess import RESAMPLES, Preprocess, weights

PHOTOS = sorted((Path(__file__).parents[3] / "shared/data/photos").glob("*.png"))
CLIP = Preprocess.from_config({})


def drawn(kind: str, w: int, h: int) -> Image.Image:
    rng = np.random.default_rng(w * 1000 + h)
    if kind == "noise":
        return Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8))
    if kind == "extremes":  # 0 and 255 only: bicubic overshoots, so every pass clips
        return Image.fromarray(rng.integers(0, 2, (h, w, 3), dtype=np.uint8) * 255)
    if kind == "grey":
        return Image.fromarray(rng.integers(0, 256, (h, w), dtype=np.uint8))
    x, y = np.meshgrid(np.linspace(0, 255, w), np.linspace(0, 255, h))
    return Image.fromarray(np.stack([x, y, (x + y) / 2], -1).astype(np.uint8))


def difference(processor: Any, images: list[Image.Image]) -> float:
    """Largest absolute difference between the processor and what is read from its config."""
    truth = np.stack([processor(image)["pixel_values"][0] for image in images])
    ours = Preprocess.from_config(processor.to_dict())(read_images(images))
    assert ours.shape == truth.shape
    return float(np.abs(ours.numpy() - truth).max())


PROCESSORS = {
    "clip": CLIPImageProcessorPil(),
    "siglip": SiglipImageProcessorPil(),
    "blip": BlipImageProcessorPil(size=48, do_pad=True),
    "odd": CLIPImageProcessorPil(size={"shortest_edge": 35}, crop_size={"height": 48, "width": 31}),
    "pad": CLIPImageProcessorPil(size={"height": 20, "width": 33}, crop_size={"height": 41, "width": 36}),
    "crop only": CLIPImageProcessorPil(do_resize=False, crop_size={"height": 64, "width": 51}),
    "plain": SiglipImageProcessorPil(do_normalize=False, size={"height": 40, "width": 24}),
}
SIZES = [(224, 224), (225, 223), (640, 427), (61, 399), (401, 67), (7, 5), (1, 1), (1, 40), (33, 300), (224, 300)]


@pytest.mark.parametrize("kind", ["noise", "extremes", "ramp", "grey"])
@pytest.mark.parametrize("name", PROCESSORS)
def test_equals_hugging_face(name: str, kind: str) -> None:
    assert difference(PROCESSORS[name], [drawn(kind, w, h) for w, h in SIZES]) < 1e-5


@pytest.mark.parametrize("number", range(len(RESAMPLES)))
def test_every_filter_equals_pillow(number: int) -> None:
    processor = SiglipImageProcessorPil(resample=number, size={"height": 37, "width": 50})
    assert difference(processor, [drawn("noise", w, h) for w, h in SIZES]) < 1e-5


@pytest.mark.skipif(not PHOTOS, reason="no photographs in shared/data/photos")
@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_equals_hugging_face_on_photographs(name: str) -> None:
    images = [Image.open(path) for path in PHOTOS]
    assert difference(PROCESSORS[name], images) < 1e-5
    for image in images:
        image.close()


@example(w=42, h=35, height=15, width=29, number=5)
@given(w=st.integers(1, 90), h=st.integers(1, 90), height=st.integers(1, 50), width=st.integers(1, 50), number=st.integers(0, 5))
def test_any_size_equals_pillow(w: int, h: int, height: int, width: int, number: int) -> None:
    image = drawn("noise", w, h)
    preprocess = Preprocess(resize=(height, width), crop=None, resample=RESAMPLES[number], mean=(0,) * 3, std=(1,) * 3)
    truth = np.asarray(image.resize((width, height), number))
    assert np.array_equal((preprocess(read_images(image))[0] * 255).round().byte().movedim(0, -1).numpy(), truth)


@pytest.mark.parametrize("shrink", [39, 40, 41])
def test_order_of_the_passes_is_that_of_pillow(shrink: int) -> None:
    """Around the height, twice the shrinking of the width, at which newer Pillows change the order."""
    processor = SiglipImageProcessorPil(size={"height": 120 - shrink, "width": 70})
    assert difference(processor, [drawn("noise", 90, 120)]) < 1e-5


def test_extreme_aspect_needs_no_memory() -> None:
    (x,) = CLIP([torch.rand(3, 20_000, 2)])  # resized it is 2,240,000 rows, of which 224 are kept
    assert x.shape == (3, 224, 224)


@pytest.mark.parametrize("name", PROCESSORS)
def test_batch_equals_samples(name: str) -> None:
    preprocess = Preprocess.from_config(PROCESSORS[name].to_dict())
    pictures = [torch.rand(3, h, w) for h, w in [(30, 50), (50, 30), (30, 50), (9, 9), (50, 30)]]
    batch = preprocess(pictures)
    assert batch.shape == (5, 3, *preprocess.size)
    assert torch.equal(batch, torch.cat([preprocess([picture]) for picture in pictures]))


def test_same_size_is_the_identity() -> None:
    x = torch.rand(2, 3, 24, 24)
    for resize in (24, (24, 24), None):
        preprocess = Preprocess(resize=resize, crop=(24, 24), mean=(0,) * 3, std=(1,) * 3)
        assert torch.equal(preprocess(list(x)), x)
        assert torch.equal(preprocess(x), x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_precision_of_the_pictures_is_kept(dtype: torch.dtype) -> None:
    x = torch.rand(3, 40, 50)
    out = CLIP([x.to(dtype)])
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), CLIP([x]), rtol=0, atol=0.06)


def pullback(preprocess: Preprocess, x: Tensor, cotangent: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(preprocess([x]), x, cotangent[None])
    return grad


@pytest.mark.parametrize("resample", ["bicubic", "bilinear"])
@pytest.mark.parametrize("shape", [(50, 70), (9, 13), (20, 60)])
def test_gradient_is_that_of_unrounded_interpolation(shape: tuple[int, int], resample: str) -> None:
    x, cotangent = torch.rand(3, *shape, dtype=torch.float64), torch.randn(3, 20, 31, dtype=torch.float64)
    preprocess = Preprocess(resize=(20, 31), crop=None, resample=resample, mean=(0.4,) * 3, std=(0.5,) * 3)
    y = x.clone().requires_grad_()
    smooth = torch.nn.functional.interpolate(y[None], (20, 31), mode=resample, antialias=True)[0] / 0.5
    (expected,) = torch.autograd.grad(smooth, y, cotangent)
    torch.testing.assert_close(pullback(preprocess, x, cotangent), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("resample", RESAMPLES)
def test_gradient_is_the_transpose_of_the_resize(resample: str) -> None:
    """At 0 and 1, where bicubic clips, the gradient still passes; crop and padding take their share."""
    x, cotangent = torch.randint(2, (3, 21, 40)).double(), torch.randn(3, 30, 8, dtype=torch.float64)
    preprocess = Preprocess(resize=10, crop=(30, 8), resample=resample, std=(1,) * 3)
    rows, columns = (torch.from_numpy(weights(*a, resample)) for a in ((21, 10, 0, 10), (40, 19, 5, 13)))
    expected = rows.T @ cotangent[:, 10:20] @ columns
    torch.testing.assert_close(pullback(preprocess, x, cotangent), expected, rtol=1e-9, atol=1e-9)


def test_gradient_through_the_full_size_is_finite() -> None:
    grad = pullback(CLIP, torch.rand(3, 300, 451), torch.randn(3, 224, 224))
    assert grad.isfinite().all()
    assert (grad != 0).float().mean() > 0.6


def test_gradient_after_inference_mode() -> None:
    with torch.inference_mode():
        CLIP([torch.rand(3, 91, 53)])
    assert pullback(CLIP, torch.rand(3, 91, 53), torch.randn(3, 224, 224)).isfinite().all()


@pytest.mark.parametrize("resample", RESAMPLES)
def test_weights_sum_to_one_and_slice(resample: str) -> None:
    for size_in, size_out in [(30, 7), (7, 30), (1, 5), (100, 99)]:
        whole = weights(size_in, size_out, 0, size_out, resample)
        np.testing.assert_allclose(whole.sum(1), 1, atol=1e-5)
        assert np.array_equal(weights(size_in, size_out, 2, 5, resample), whole[2:5])


def test_configs() -> None:
    old = {
        "crop_size": 224,
        "do_center_crop": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "size": 224,
    }
    assert Preprocess.from_config(old) == CLIP
    assert Preprocess.from_config({"image_processor": old}) == CLIP
    assert Preprocess.from_config(PROCESSORS["clip"].to_dict()) == CLIP
    assert CLIP.size == (224, 224)
    siglip = Preprocess.from_config({"image_processor_type": "SiglipImageProcessor"})
    assert siglip == Preprocess.from_config(PROCESSORS["siglip"].to_dict())
    assert (siglip.resize, siglip.crop, siglip.size, siglip.mean) == ((224, 224), None, (224, 224), (0.5, 0.5, 0.5))
    blip = Preprocess.from_config({"image_processor_type": "BlipImageProcessor"})
    assert blip == Preprocess.from_config(BlipImageProcessorPil().to_dict())
    assert (blip.size, blip.crop, blip.resample, blip.mean) == ((384, 384), None, "bicubic", CLIP.mean)
    assert Preprocess.from_config({"image_processor_type": "BlipImageProcessorFast", "size": 384}) == blip
    assert Preprocess.from_config({"image_mean": 0.5, "image_std": 0.25}).mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"do_pad": True}, "do_pad"),
        ({"image_processor_type": "BlipImageProcessor", "do_pad": True, "pad_size": {"height": 400, "width": 400}}, "do_pad"),
        ({"do_rescale": False}, "do_rescale=False"),
        ({"rescale_factor": 1 / 127.5}, "rescale_factor=0.0078"),
        ({"resample": 6}, "resample number in 0..5, got 6"),
        ({"resample": "cubic"}, "got cubic"),
        ({"size": {"longest_edge": 224}}, "longest_edge"),
        ({"size": {"shortest_edge": 224, "longest_edge": 300}}, "longest_edge"),
        ({"do_center_crop": False}, "exact resize"),
        ({"size": 0}, "at least 1"),
        ({"image_std": [1.0, 0.0, 1.0]}, "std > 0"),
    ],
)
def test_unsupported_settings_are_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        Preprocess.from_config(config)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "bad", [torch.rand(1, 8, 8), torch.rand(8, 8), torch.zeros(3, 8, 8, dtype=torch.uint8), torch.rand(3, 0, 8)]
)
def test_bad_pictures_are_refused(bad: Tensor) -> None:
    with pytest.raises(ValueError, match="at 1"):
        CLIP([torch.rand(3, 8, 8), bad])
    with pytest.raises(ValueError, match="got none"):
        CLIP([])
    with pytest.raises(ValueError, match="resample"):
        Preprocess(resize=8, crop=(8, 8), resample="cubic")


def test_no_warning_from_cached_weights() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CLIP([torch.rand(3, 91, 53)])
    assert not caught
