"""Recipes of the autoencoders: they train, go on, and write folders that load and say what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d, interpolate

import obvert.models  # before diffusers  # noqa: F401
from obvert.models import load_autoencoder
from obvert.zoo.vae import VaeRecipe, examine, scenes
from obvert.zoo.vae_tiny import TinyVaeRecipe


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of zoo/vae's recipe, written."""
    folder = tmp_path_factory.mktemp("vae")
    recipe = VaeRecipe(steps=2, batch=2, pool=4)
    model, minutes = recipe.train(folder / "training")
    (folder / "model").mkdir()
    recipe.export(model, folder / "model", minutes)
    return folder / "model"


def test_the_vae_is_written_with_latents_of_deviation_one(whole: Path) -> None:
    model = load_autoencoder(str(whole), device="cpu")
    pictures = scenes(8, 5).float() / 255
    z = model.encode(pictures)
    assert z.shape == (8, 4, 8, 8)
    assert 0.5 < z.std().item() < 2
    card = json.loads((whole / "card.json").read_text())
    assert card["recipe"]["steps"] == 2
    assert set(card["scores"]) == {"psnr", "cycle"}
    assert examine(model, count=4)["psnr"] == pytest.approx(card["scores"]["psnr"], abs=3)


def test_halves_are_distilled_apart(whole: Path, tmp_path: Path) -> None:
    recipe = TinyVaeRecipe(teacher=str(whole), steps=2, batch=2, pool=4)
    model, minutes = recipe.train(tmp_path / "training")
    (tmp_path / "tiny").mkdir()
    recipe.export(model, tmp_path / "tiny", minutes)
    assert load_autoencoder(str(tmp_path / "tiny"), device="cpu").encode(scenes(2, 1).float() / 255).shape == (2, 4, 8, 8)
    pictures, latents = torch.randn(2, 3, 64, 64), torch.randn(2, 4, 8, 8)
    model.float().requires_grad_(True).train()  # written in half precision
    model.zero_grad()
    recipe.loss(model, pictures, latents).backward()
    thumbnails = interpolate(adaptive_avg_pool2d(pictures, 12), size=(64, 64), mode="bilinear")
    apart = model.encoder(thumbnails) - latents
    (only,) = torch.autograd.grad(apart.square().mean(), model.encoder.layers[0].weight)
    torch.testing.assert_close(model.encoder.layers[0].weight.grad, only)  # the decoder's error never reaches the encoder


@pytest.mark.parametrize(
    "make", [lambda: VaeRecipe(steps=0), lambda: TinyVaeRecipe(batch=9, pool=4), lambda: TinyVaeRecipe(thumbnail=65)]
)
def test_settings_out_of_range_are_named(make) -> None:
    with pytest.raises(ValueError, match=r"need (steps >= 1|a thumbnail of side 1 to 64)"):
        make()
