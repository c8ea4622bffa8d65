"""The recipe of the small text-to-image model: reproducible, and its folder is a pipeline that diffusers runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import obvert
from obvert.core import Autoencoder, Card, Diffusion, Schedule
from obvert.hub import zoo
from obvert.zoo.diffusion import DiffusionRecipe, encode, examine, read, read_autoencoder, read_text, write
from obvert.zoo.exam import caption_of, kinds
from obvert.zoo.recipes import RECIPES
from obvert.zoo.scenes import sample
from obvert.zoo.vae import VaeRecipe


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("vae")
    torch.manual_seed(0)
    model = VaeRecipe().build()
    model.register_to_config(scaling_factor=2.0)
    model.save_pretrained(folder)
    return str(folder)


def test_two_steps_are_reproducible(autoencoder: str, tmp_path: Path) -> None:
    recipe = DiffusionRecipe(autoencoder=autoencoder, steps=2, batch=4, pool=8)
    one, minutes = recipe.train(tmp_path / "one")
    other, _ = recipe.train(tmp_path / "other")
    weights = other.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())
    assert not one.training
    assert minutes > 0
    last, _ = dataclasses.replace(recipe, average=0.0).train(tmp_path / "last")
    assert not torch.equal(last.conv_in.weight, one.conv_in.weight)


def test_latents_are_modes_times_the_scaling_factor(autoencoder: str) -> None:
    model, scenes = read_autoencoder(autoencoder), sample(3, 0)
    assert encode(model, scenes).shape == (3, 4, 8, 8)
    model.register_to_config(scaling_factor=1.0)
    small = encode(model, scenes)
    model.register_to_config(scaling_factor=2.0)
    assert torch.equal(encode(model, scenes), 2 * small)


def test_a_caption_is_read_token_by_token() -> None:
    text = read_text()
    one, other = read(text, ["a red circle", "a red moon"])
    assert one.shape == (32, 128)
    torch.testing.assert_close(one[:3], other[:3])
    assert (one[3] - other[3]).abs().max() > 0.1


def test_what_is_written_is_a_small_pipeline(autoencoder: str, tmp_path: Path) -> None:
    write(DiffusionRecipe().build(), read_autoencoder(autoencoder), tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    assert {"unet", "vae", "text_encoder", "tokenizer", "scheduler"} <= {file.name for file in tmp_path.iterdir()}
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 12e6


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"steps": 3}, {"cycles": 0}, {"batch": 9, "pool": 8}, {"pairs": 1.5}, {"dropout": 1.0}, {"average": 1.0}],
)
def test_settings_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need"):
        DiffusionRecipe(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("shift", "colour", "shape"), [(0, 1.0, 1.0), (8, 0.0, 1.0), (1, 0.875, 0.0)])
def test_the_exam_counts_what_is_right(shift: int, colour: float, shape: float) -> None:
    captions = [caption_of(name) for name in kinds()]
    model = Diffusion(
        card=Card(name="toy", family="functions"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        autoencoder=Autoencoder.from_functions(lambda x: x, lambda z: z),
        shape=(3, 2, 2),
        prediction="flow",
        embed=lambda said: torch.tensor([(captions.index(c) + shift) % 64 if c else 0 for c in said]) / 64,
        predict=lambda z, times, condition: z - condition[:, None, None, None],
        schedule=lambda steps: Schedule(times=torch.ones(1), signal=torch.tensor([0.0, 1.0]), noise=torch.tensor([1.0, 0.0])),
    )
    judge: Any = SimpleNamespace(
        device=torch.device("cpu"),
        image_features=lambda pictures: torch.eye(64)[[round(float(p.mean()) * 64) for p in pictures]],
        text_features=lambda texts: torch.eye(64),
    )
    scores = examine(model, judge, rounds=1, guidance=1.0)
    assert (scores["colour"], scores["shape"]) == (colour, shape)
    assert scores["samples"] == 64


@pytest.mark.parametrize("name", [name for name in zoo() if name == "zoo/diffusion"])
def test_the_embedded_one_is_what_its_card_says(name: str, clip: Any) -> None:
    model: Any = obvert.load(name, device="cpu")
    assert model.card.notes["recipe"] == dataclasses.asdict(RECIPES["diffusion"])  # type: ignore[call-overload]
    assert model.card.notes["scores"]["both"] >= 0.8
    again = examine(model, clip, rounds=1, steps=20, seed=1000)
    assert again["both"] == pytest.approx(model.card.notes["scores"]["both"], abs=0.15)
