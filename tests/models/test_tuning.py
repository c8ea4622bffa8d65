"""Tuned towers: a copy that starts as the model, trains, and ends as a checkpoint of the same kind; the model stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import normalize

import obvert
from obvert.core import ObvertError, Tunable, Tuning

SOURCES = {
    "clip": tiny.write_clip,
    "siglip": tiny.write_siglip,
    "siglip2 fixed": tiny.write_siglip2_fixed,
    "siglip2": tiny.write_siglip2,
}
CLASSES = {"clip": "CLIPModel", "siglip": "SiglipModel", "siglip2 fixed": "SiglipModel", "siglip2": "Siglip2Model"}


def write_open_clip(folder: Path) -> Path:
    open_clip = pytest.importorskip("open_clip", reason="needs the extra openclip", exc_type=ImportError)
    vision = {"layers": 2, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 32}
    text = {"layers": 2, "width": 32, "heads": 2, "context_length": 24, "vocab_size": 49408}
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    model = tiny.roughen(open_clip.model.CLIP(**config))
    save_file({name: w.contiguous() for name, w in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    about = {"model_cfg": config, "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}}
    (folder / "open_clip_config.json").write_text(json.dumps(about))
    return folder


@pytest.fixture(scope="module", params=[*SOURCES, "open-clip"])
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    folder = tmp_path_factory.mktemp("family")
    if request.param == "open-clip":
        return request.param, obvert.load(f"open_clip:{write_open_clip(folder)}", device="cpu")
    return request.param, obvert.load(str(SOURCES[request.param](folder)), device="cpu")


@pytest.fixture(params=[2, None], ids=["low rank", "linear map"])
def rank(request: pytest.FixtureRequest) -> int | None:
    return request.param


def trained(tuning: Tuning, steps: int = 3) -> Tuning:
    """Driven towards the first axis, so that features clearly differ."""
    optimiser = torch.optim.Adam(tuning.parameters().values(), lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        (-tuning.features(tiny.TEXTS)[:, 0]).sum().backward()
        optimiser.step()
    return tuning


def of_the_library(kind: str, folder: Path) -> Callable[[list[str]], Tensor]:
    """The checkpoint as the library that it belongs to reads it."""
    if kind == "open-clip":
        import open_clip

        model, tokenizer = open_clip.create_model(f"local-dir:{folder}").eval(), open_clip.get_tokenizer(f"local-dir:{folder}")
        return lambda texts: model.encode_text(tokenizer(texts))
    import transformers

    model = getattr(transformers, CLASSES[kind]).from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    how = {"padding": "max_length", "max_length": model.config.text_config.max_position_embeddings, "return_tensors": "pt"}
    return lambda texts: model.get_text_features(tokenizer(texts, **how)["input_ids"]).pooler_output


def test_what_is_not_trained_is_the_model(family: tuple[str, Any], rank: int | None) -> None:
    _, model = family
    assert isinstance(model, Tunable)
    tuning = model.tuning(rank)
    given = tuning.features(tiny.TEXTS)
    assert given.requires_grad
    torch.testing.assert_close(given.detach(), model.text_features(tiny.TEXTS), rtol=1e-5, atol=1e-6)
    assert all(p.requires_grad for p in tuning.parameters().values())
    assert not any(w.requires_grad for w in model.parameters().values())


def test_training_changes_the_copy_alone(family: tuple[str, Any], rank: int | None) -> None:
    _, model = family
    before, told = tiny.fingerprint(model.parameters()), model.text_features(tiny.TEXTS)
    tuning = trained(model.tuning(rank))
    assert tiny.fingerprint(model.parameters()) == before
    assert (tuning.features(tiny.TEXTS).detach() - told).norm(dim=1).min() > 0.05
    torch.testing.assert_close(model.text_features(tiny.TEXTS), told)


def test_what_is_saved_is_what_was_trained(family: tuple[str, Any], rank: int | None, tmp_path: Path) -> None:
    kind, model = family
    tuning = trained(model.tuning(rank))
    wanted = tuning.features(tiny.TEXTS).detach()
    tuning.save(tmp_path)
    again = obvert.load(f"open_clip:{tmp_path}" if kind == "open-clip" else str(tmp_path), device="cpu")
    torch.testing.assert_close(again.text_features(tiny.TEXTS), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(again.image_features(tiny.pictures()), model.image_features(tiny.pictures()))
    assert again.parameters().keys() == model.parameters().keys()
    assert again.card.sha256 != model.card.sha256
    with torch.no_grad():
        theirs = of_the_library(kind, tmp_path)(tiny.TEXTS)
    torch.testing.assert_close(normalize(theirs, dim=-1), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tuning.features(tiny.TEXTS).detach(), wanted)  # saving does not end the training


def test_weights_are_interpolated(family: tuple[str, Any], rank: int | None, tmp_path: Path) -> None:
    kind, model = family
    tuning = trained(model.tuning(rank))
    for share, features in ((0.0, model.text_features(tiny.TEXTS)), (1.0, tuning.features(tiny.TEXTS).detach())):
        torch.testing.assert_close(tuning.interpolated(share).features(tiny.TEXTS).detach(), features, rtol=1e-5, atol=1e-6)
    places = []
    for i, share in enumerate((1.0, 0.25)):
        (tmp_path / str(i)).mkdir()
        tuning.interpolated(share).save(tmp_path / str(i))
        name = f"open_clip:{tmp_path / str(i)}" if kind == "open-clip" else str(tmp_path / str(i))
        places.append(obvert.load(name, device="cpu").parameters())
    for name, old in model.parameters().items():
        torch.testing.assert_close(places[1][name], old + 0.25 * (places[0][name] - old), rtol=1e-4, atol=1e-5)


def test_a_map_of_picture_features_is_folded_in(family: tuple[str, Any], tmp_path: Path) -> None:
    kind, model = family
    before, image = tiny.fingerprint(model.parameters()), model.image_features(tiny.pictures())
    if kind.startswith("siglip"):
        with pytest.raises(ObvertError, match="need an image tower that ends in a matrix"):
            model.tuning(2, image_tower="map")
        return
    tuning = model.tuning(2, image_tower="map")
    assert torch.equal(tuning.from_features(image).detach(), normalize(image, dim=-1))
    with torch.no_grad():
        tuning.parameters()["images"].add_(0.1 * torch.randn(16, 16, generator=torch.Generator().manual_seed(0)))
    wanted = tuning.from_features(image).detach()
    assert (wanted - image).norm(dim=1).min() > 0.05
    torch.testing.assert_close(tuning.interpolated(0.0).from_features(image).detach(), image)
    tuning.save(tmp_path)
    again = obvert.load(f"open_clip:{tmp_path}" if kind == "open-clip" else str(tmp_path), device="cpu")
    torch.testing.assert_close(again.image_features(tiny.pictures()), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(again.text_features(tiny.TEXTS), model.text_features(tiny.TEXTS), rtol=1e-4, atol=1e-5)
    assert tiny.fingerprint(model.parameters()) == before


def test_an_image_tower_is_tuned_with_the_texts(family: tuple[str, Any], tmp_path: Path) -> None:
    kind, model = family
    before, image = tiny.fingerprint(model.parameters()), model.image_features(tiny.pictures())
    frozen, tuning = model.tuning(2), model.tuning(2, image_tower="tuned")
    assert tuning.parameters().keys() > frozen.parameters().keys()
    torch.testing.assert_close(frozen.image_features(tiny.pictures()).detach(), image, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(tuning.image_features(tiny.pictures()).detach(), image, rtol=1e-5, atol=1e-6)
    optimiser = torch.optim.Adam(tuning.parameters().values(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        (tuning.image_features(tiny.pictures()) @ tuning.features(tiny.TEXTS)[0]).sum().backward()
        optimiser.step()
    wanted, told = tuning.image_features(tiny.pictures()).detach(), tuning.features(tiny.TEXTS).detach()
    assert (wanted - image).norm(dim=1).min() > 0.05
    half = tuning.interpolated(0.5).image_features(tiny.pictures()).detach()
    assert ((half - image).norm(dim=1) > 0).all()
    assert ((half - wanted).norm(dim=1) > 0).all()
    torch.testing.assert_close(tuning.interpolated(0.0).image_features(tiny.pictures()).detach(), image, rtol=1e-5, atol=1e-6)
    tuning.save(tmp_path)
    again = obvert.load(f"open_clip:{tmp_path}" if kind == "open-clip" else str(tmp_path), device="cpu")
    torch.testing.assert_close(again.image_features(tiny.pictures()), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(again.text_features(tiny.TEXTS), told, rtol=1e-4, atol=1e-5)
    assert tiny.fingerprint(model.parameters()) == before
    with pytest.raises(ObvertError, match="need the images themselves"):
        tuning.from_features(image)


def test_draws_are_seeded(family: tuple[str, Any]) -> None:
    _, model = family
    first, same, other = (trained(model.tuning(2, seed=seed)).features(tiny.TEXTS) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_what_cannot_be_tuned_is_said_in_one_line(family: tuple[str, Any], tmp_path: Path) -> None:
    _, model = family
    with pytest.raises(ObvertError, match="rank of 1 or more, got 0"):
        model.tuning(0)
    with pytest.raises(ObvertError, match="need a rank to tune the image tower"):
        model.tuning(image_tower="tuned")
    with pytest.raises(ObvertError, match="unknown image tower"):
        model.tuning(2, image_tower="melted")
    for share in (-0.1, 1.1):
        with pytest.raises(ObvertError, match="share in"):
            model.tuning().interpolated(share)
    for wrong in ([], "one text"):
        with pytest.raises(ObvertError, match="list of one text or more"):
            model.tuning().features(wrong)


def test_other_precisions_and_families_are_refused(tmp_path: Path) -> None:
    folder = tiny.write_clip(tmp_path)
    with pytest.raises(ObvertError, match="in float32 to tune it"):
        obvert.load(str(folder), device="cpu", dtype="bfloat16").tuning()
    import dataclasses

    model = dataclasses.replace(obvert.load(str(folder), device="cpu"), tuned_parts=None)
    with pytest.raises(ObvertError, match="need a CLIP, SigLIP or OpenCLIP"):
        model.tuning(4)
