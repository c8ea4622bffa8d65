"""The embedded models are what their cards say: fresh scenes, no training scene among them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import obvert
from obvert.hub import duals
from obvert.metrics import modality_gap
from obvert.tasks.classification import prompt
from obvert.zoo.exam import kind, kinds, pictures
from obvert.zoo.recipes import RECIPES
from obvert.zoo.scenes import sample

SCENES = sample(300, 987_654_321, things=1)


@pytest.mark.parametrize("name", duals())
def test_an_embedded_model_is_what_its_card_says(name: str) -> None:
    model = obvert.load(name, device="cpu")
    notes = model.card.notes
    assert notes["recipe"] == dataclasses.asdict(RECIPES[name.removeprefix("zoo/")])
    assert notes["scores"]["zero_shot"] >= 0.95
    assert notes["scores"]["pairs"] >= 0.6
    seen, named = model.image_features(pictures(SCENES)), model.text_features([prompt(k) for k in kinds()])
    right = ((seen @ named.T).argmax(1) == torch.tensor([kind(scene) for scene in SCENES])).float().mean().item()
    assert right == pytest.approx(notes["scores"]["zero_shot"], abs=0.05)
    assert modality_gap(seen, named) > 0.5


def test_the_twin_has_the_smaller_gap() -> None:
    gaps = {name: obvert.load(name, device="cpu").card.notes["scores"]["modality_gap"] for name in duals()}
    assert gaps["zoo/clip-smallgap"] < gaps["zoo/clip"]
