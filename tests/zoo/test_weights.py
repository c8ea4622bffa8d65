"""The embedded models are what their cards say: fresh scenes, no training scene among them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import obvert
from obvert.hub import zoo
from obvert.metrics import modality_gap, residual_db
from obvert.models import load_autoencoder
from obvert.tasks.classification import prompt
from obvert.zoo.exam import kind, kinds, pictures
from obvert.zoo.recipes import RECIPES
from obvert.zoo.scenes import sample

LEAST = {"zoo/clip-slip": 0.9}
"""Zero-shot accuracy that is asked for, where it is not .95: an intra-modal loss costs some."""
SCENES = sample(300, 987_654_321, things=1)


@pytest.mark.parametrize("name", zoo("dual encoder"))
def test_an_embedded_dual_encoder_is_what_its_card_says(name: str) -> None:
    model = obvert.load(name, device="cpu")
    notes = model.card.notes
    assert notes["recipe"] == dataclasses.asdict(RECIPES[name.removeprefix("zoo/")])
    assert notes["scores"]["zero_shot"] >= LEAST.get(name, 0.95)
    assert notes["scores"]["pairs"] >= 0.6
    seen, named = model.image_features(pictures(SCENES)), model.text_features([prompt(k) for k in kinds()])
    right = ((seen @ named.T).argmax(1) == torch.tensor([kind(scene) for scene in SCENES])).float().mean().item()
    assert right == pytest.approx(notes["scores"]["zero_shot"], abs=0.05)
    assert modality_gap(seen, named) > 0.5


def test_the_twin_has_the_smaller_gap() -> None:
    gaps = {name: obvert.load(name, device="cpu").card.notes["scores"]["modality_gap"] for name in zoo("dual encoder")}
    assert gaps["zoo/clip-smallgap"] < gaps["zoo/clip"]


@pytest.mark.parametrize("name", zoo("autoencoder"))
def test_an_embedded_autoencoder_is_what_its_card_says(name: str) -> None:
    model = load_autoencoder(name, device="cpu")
    notes = model.card.notes
    assert notes["recipe"] == dataclasses.asdict(RECIPES[name.removeprefix("zoo/")])
    told = notes["scores"]
    assert told["psnr"] >= {"zoo/vae": 26.0}.get(name, 20.0)
    drawn = torch.stack(pictures(SCENES[:48]))
    z = model.encode(drawn)
    seen = model.decode(z)
    psnr = -residual_db(seen, drawn).mean().item()
    assert psnr == pytest.approx(told["psnr"], abs=2.5)  # one thing each, where the card has one or two
    assert z.std().item() == pytest.approx(1.0, abs=0.2)


def test_halves_that_never_met_match_less() -> None:
    cards = {name: load_autoencoder(name, device="cpu").card.notes["scores"]["cycle"] for name in zoo("autoencoder")}
    if len(cards) < 2:
        pytest.skip("only one autoencoder is embedded")
    assert cards["zoo/vae-tiny"] > cards["zoo/vae"]
