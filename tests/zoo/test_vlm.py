"""The vision-language model's recipe: questions and their answers, what is learned of them, a training that goes on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import obvert
import obvert.zoo.vlm as vlm
from obvert.core import Reader
from obvert.zoo.questions import KINDS, ask, plain, plural, words
from obvert.zoo.scenes import OPPOSITE, Scene, sample, vocabulary
from obvert.zoo.vlm import VlmRecipe, answer_loss, encode, shared_tokenizer

SMALL = VlmRecipe(start="zoo/siglip", width=16, heads=2, layers=1, steps=2, batch=4, pool=8)


def scene(*, things: int, index: int = 0) -> Scene:
    return sample(8, 3, things=things)[index]


def test_questions_and_answers_by_hand() -> None:
    rng = np.random.default_rng(0)
    one = dataclasses.replace(scene(things=1).things[0], colour="red", shape="cross", size="small", x=10.0)
    other = dataclasses.replace(one, colour="blue", shape="ring", x=40.0)
    single, double = (
        dataclasses.replace(scene(things=1), things=(one,)),
        dataclasses.replace(scene(things=2), things=(other, one)),
    )
    assert plain(single) == "a red cross"
    assert plain(double) == "a red cross left of a blue ring"
    assert KINDS["colour"](single, rng) == ("what colour is the cross?", "red")
    assert KINDS["shape"](single, rng) == ("what shape is the red thing?", "cross")
    assert KINDS["how-large"](single, rng) == ("how large is the cross?", "small")
    assert KINDS["where"](single, rng) is None
    said = {KINDS["where"](double, rng) for _ in range(20)}
    assert said == {
        ("where is the red cross?", "left of the blue ring"),
        ("where is the blue ring?", "right of the red cross"),
    }
    alike = dataclasses.replace(double, things=(dataclasses.replace(other, colour="red"), one))
    assert KINDS["shape"](alike, rng) is None  # which red thing?
    counts = {KINDS["how-many"](alike, rng) for _ in range(300)}
    assert ("how many red things are there?", "two") in counts
    assert ("how many crosses are there?", "one") in counts
    assert ("how many things are there?", "two") in counts
    assert {answer for question, answer in counts if "blue" in question} == {"zero"}
    assert (plural("cross"), plural("ring")) == ("crosses", "rings")


def test_conversations_ask_different_kinds() -> None:
    rng = np.random.default_rng(0)
    for given in sample(50, 0):
        turns = ask(given, rng, 3)
        assert len(turns) == len({question for question, _ in turns}) == 3
        for question, answer in turns:
            for word in f"{question} {answer}".replace("?", " ?").split():
                assert word in {*vocabulary(), *words()}, word
            if question.startswith("where"):
                assert any(answer.startswith(relation) for relation in OPPOSITE)


def test_the_template_is_what_was_trained_on() -> None:
    ids, labels = encode(
        [[("what do you see?", "a red ring"), ("how large is the ring?", "small")], [("what do you see?", "a ring")]], 4
    )
    tokenizer = shared_tokenizer()
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what do you see?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a red ring"}]},
        {"role": "user", "content": [{"type": "text", "text": "how large is the ring?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "small"}]},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False).replace("<image>", "<image>" * 4)
    assert ids[0].tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(labels[0][labels[0] >= 0]) == "a red ring <end> small <end>"
    assert (labels[1] >= 0).sum() == 3
    assert ids[1, -1] == 0
    assert tokenizer.unk_token_id not in ids


def test_only_answers_are_learned_and_padding_does_not_count() -> None:
    torch.manual_seed(0)
    model, picture = SMALL.build().eval(), torch.randn(1, 3, 64, 64)
    ids, labels = encode([[("what do you see?", "a red ring")]], model.config.image_seq_length)
    found = answer_loss(model, picture, ids, labels)
    padded = (torch.cat([t, torch.full((1, 3), pad)], 1) for t, pad in ((ids, 0), (labels, -100)))
    torch.testing.assert_close(found, answer_loss(model, picture, *padded))
    own = model(pixel_values=picture, input_ids=ids, labels=labels).loss
    torch.testing.assert_close(found, own)


def test_a_training_goes_on_and_its_model_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = SMALL.train(tmp_path / "training")
    for place in (tmp_path / "training", tmp_path / "anew"):  # resumed, and anew
        for (key, one), other in zip(model.state_dict().items(), SMALL.train(place)[0].state_dict().values(), strict=True):
            assert torch.equal(one, other), key
    whole = vlm.examine
    monkeypatch.setattr(vlm, "examine", lambda *args: whole(*args, 4))
    (tmp_path / "model").mkdir()
    SMALL.export(model, tmp_path / "model", 0.1)
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["recipe"] == dataclasses.asdict(SMALL)
    assert set(card["scores"]) == {*KINDS, "all"}
    loaded = obvert.load(str(tmp_path / "model"), device="cpu")
    assert isinstance(loaded, Reader)
    assert len(loaded.layers) == 5
    assert len(loaded.read([torch.rand(3, 64, 64)])) == 1


def test_what_is_no_recipe_is_refused() -> None:
    for wrong in ({"steps": 0}, {"batch": 9}, {"turns": 0}, {"heads": 3}, {"seed": -1}):
        with pytest.raises(ValueError, match="need steps, turns >= 1"):
            dataclasses.replace(SMALL, **wrong)  # type: ignore[arg-type]
