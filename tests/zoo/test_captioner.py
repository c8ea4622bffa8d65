"""The captioner's recipe: captions of a stable form, a start from a trained tower, a training that goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import obvert.zoo.captioner as captioner
from obvert.hub import locate
from obvert.zoo.captioner import CANONICAL, CaptionerRecipe, bare, begin, caption_loss, encode, name, ways
from obvert.zoo.draw import draw
from obvert.zoo.scenes import OPPOSITE, sample

SMALL = CaptionerRecipe(width=16, heads=2, layers=1, text_layers=1, steps=2, batch=4, pool=8)


def test_captions_always_name_colour_shape_and_relation() -> None:
    rng = np.random.default_rng(0)
    single, double = sample(300, 0, things=1), sample(300, 1, things=2)
    said = [name(scene, rng) for scene in single]
    plain = sum(len(text.split()) == 3 for text in said)
    for text, scene in zip(said, single, strict=True):
        assert bare(text) == f"{scene.things[0].colour} {scene.things[0].shape}"
    assert plain > 90  # the likeliest by far
    said = [name(scene, rng) for scene in double]
    assert all(bare(text) in ways(scene) for text, scene in zip(said, double, strict=True))
    canonical = sum(any(f" {relation} " in text for relation in CANONICAL) for text in said)
    assert 200 < canonical < 280
    assert {OPPOSITE[relation] for relation in CANONICAL} == {"right of", "below"}


def test_padding_does_not_count() -> None:
    torch.manual_seed(0)
    model, picture = SMALL.build().eval(), torch.randn(1, 3, 64, 64)
    ids = encode(["a red circle"])
    padded = torch.cat([ids, torch.zeros(1, 3, dtype=torch.long)], 1)
    torch.testing.assert_close(caption_loss(model, picture, ids), caption_loss(model, picture, padded))


def test_the_trained_tower_is_taken_over_exactly() -> None:
    from transformers import SiglipModel

    tower = CaptionerRecipe(start="zoo/siglip").build().vision_model.eval()
    begin(tower, "zoo/siglip")
    trained = SiglipModel.from_pretrained(locate("zoo/siglip").folder, dtype=torch.float32).vision_model.eval()
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    hidden, given = tower.embeddings(pictures)[:, 1:], trained.embeddings(pictures)
    torch.testing.assert_close(hidden, given)
    with torch.no_grad():
        for layer, other in zip(tower.encoder.layers, trained.encoder.layers, strict=True):
            hidden, given = layer(hidden), other(given, attention_mask=None)
    torch.testing.assert_close(hidden, given, rtol=1e-4, atol=1e-4)


def test_a_clip_tower_is_taken_over_nearly() -> None:
    from transformers import CLIPModel

    tower = CaptionerRecipe(start="zoo/clip").build().vision_model.eval()
    begin(tower, "zoo/clip")
    trained = CLIPModel.from_pretrained(locate("zoo/clip").folder, dtype=torch.float32).vision_model.eval()
    pictures = draw(sample(16, 5)).float() / 127.5 - 1
    with torch.no_grad():
        given = trained.pre_layrnorm(trained.embeddings(pictures))
        found = tower.embeddings(pictures)
    torch.testing.assert_close(found[:, 0], given[:, 0], rtol=1e-4, atol=1e-4)  # the class token exactly
    assert (found - given)[:, 1:].square().mean() < 0.2 * given[:, 1:].square().mean()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("captioner")
    return SMALL.train(folder / "training")[0], folder


def test_a_training_goes_on_where_it_stopped(trained: tuple[Any, Path], tmp_path: Path) -> None:
    model, folder = trained
    for place in (folder / "training", tmp_path):  # resumed, and anew
        for (key, one), other in zip(model.state_dict().items(), SMALL.train(place)[0].state_dict().values(), strict=True):
            assert torch.equal(one, other), key


def test_it_is_written_with_its_card(trained: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model, folder = trained
    whole = captioner.examine
    monkeypatch.setattr(captioner, "examine", lambda model: whole(model, 4))
    (folder / "model").mkdir()
    SMALL.export(model, folder / "model", 0.1)
    card = json.loads((folder / "model" / "card.json").read_text())
    assert card["recipe"] == dataclasses.asdict(SMALL)
    assert set(card["scores"]) == {"colour", "shape", "both", "plain", "pairs"}
    model.float()  # written in half precision; others look at it


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="need steps >= 1"):
        CaptionerRecipe(width=130, heads=4)
