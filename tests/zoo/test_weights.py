"""The embedded models are what their cards say: fresh scenes, no training scene among them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import obvert
from obvert.hub import zoo
from obvert.metrics import modality_gap, residual_db
from obvert.models import load_autoencoder
from obvert.tasks._latent_curves import at_stop, follow, truth
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
    assert told["psnr"] >= {"zoo/vae": 26.0}.get(name, 18.0)
    drawn = torch.stack(pictures(SCENES[:48]))
    z = model.encode(drawn)
    seen = model.decode(z)
    psnr = -residual_db(seen, drawn).mean().item()
    assert psnr == pytest.approx(told["psnr"], abs=2.5)  # one thing each, where the card has one or two
    assert z.std().item() == pytest.approx(1.0, abs=0.2)


def test_where_the_halves_match_less_iterating_on_harms_and_the_default_stops_in_time() -> None:
    model = load_autoencoder("zoo/vae-tiny", device="cpu")
    matched = load_autoencoder("zoo/vae", device="cpu")
    assert model.card.notes["scores"]["cycle"] > matched.card.notes["scores"]["cycle"] + 3
    given = truth(model, 8, 9, split="test", eight_bit=True)
    curve = follow("", obvert.DecoderInversion(max_steps=30, stop=None), model, given)
    assert curve.mean[0] > curve.mean.min() + 1  # it helps at first
    assert curve.mean[-1] > curve.mean.min() + 0.3  # and harms later
    assert curve.residual[-1].mean() < curve.residual[0].mean() - 5  # which the picture does not show
    assert at_stop(model, given)[0].mean() < curve.mean.min() + 0.3
