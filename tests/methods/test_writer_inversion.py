"""Prompt inversion on a writer whose tokens are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toys import NAMES, TABLE, colour_reader, flat_writer

import obvert
from obvert.core import ObvertError
from obvert.methods._writing import nearest
from obvert.methods.prompt_inversion import PromptInversion
from obvert.methods.speech_prompt_inversion import SpeechPromptInversion
from obvert.solvers import Adam

METHODS = {"prompt-inversion": ("picture", PromptInversion), "speech-prompt-inversion": ("sound", SpeechPromptInversion)}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("unknown", ["prompt", "embeddings", "tokens"])
def test_what_was_told_is_found(name: str, unknown: str) -> None:
    media, method = METHODS[name]
    model = flat_writer(media)
    target = model.draw(["white", "blue"])
    found = method(unknown=unknown, tokens=1, steps=200, solver=Adam(lr=0.1), snapshots=(0, 200))(model, target)
    assert found.method == name
    assert (found.error < 1e-3).all()
    torch.testing.assert_close(found.features, target, rtol=0, atol=0.05)
    torch.testing.assert_close(found.features, found.snapshot_features[200])
    if unknown == "tokens":
        assert found.texts == ["white", "blue"]
        assert torch.equal(found.x[:, 0], TABLE[[6, 5]])
        torch.testing.assert_close(found.features, target)
    shape = {"prompt": (2, 4, 5)}.get(unknown, (2, 1, 5))
    assert found.x.shape == shape


def test_denoising_finds_the_same_tokens() -> None:
    model = flat_writer()
    method = PromptInversion(unknown="tokens", tokens=1, fit="denoise", steps=200, solver=Adam(lr=0.1))
    assert method(model, model.draw(["green"])).texts == ["green"]
    with pytest.raises(ObvertError, match="need fit 'write' for flat, which does not denoise"):
        SpeechPromptInversion(fit="denoise")(flat_writer("sound"), torch.zeros(1, 1, 48))


def test_a_batch_equals_its_samples() -> None:
    model = flat_writer()
    target = model.draw(["white", "blue", "red"])
    method = PromptInversion(unknown="embeddings", tokens=2, fit="denoise", steps=5)
    found = method(model, target, seed=2)
    torch.testing.assert_close(method(model, target[1:2], seed=2).x[0], found.x[1])
    torch.testing.assert_close(replace(method, batch=2)(model, target, seed=2).x, found.x)
    assert not torch.allclose(method(model, target, seed=3).x, found.x)


def test_nearest_tokens_are_those_that_a_text_may_hold() -> None:
    ids, rows = nearest(flat_writer(), TABLE[None] * 2.5)
    assert ids[0, 2:].tolist() == [2, 3, 4, 5, 6, 7]
    assert not {0, 1} & set(ids[0].tolist())
    assert torch.equal(rows[0, 3], TABLE[3])
    assert NAMES[ids[0, 3]] == "red"


def test_bad_input_is_told_in_a_line() -> None:
    with pytest.raises(ObvertError, match="need a writer of pictures, got flat, a writer of sounds"):
        PromptInversion()(flat_writer("sound"), torch.zeros(1, 3, 8, 8))
    with pytest.raises(ObvertError, match="need a writer of pictures, got toy, a reader of pictures"):
        PromptInversion()(colour_reader(), torch.zeros(1, 3, 8, 8))
    with pytest.raises(ObvertError, match="need at most 3 tokens for flat, got 4"):
        PromptInversion(unknown="tokens", tokens=4)(flat_writer(), torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="need unknown in prompt, embeddings, tokens, got 'words'"):
        PromptInversion(unknown="words")


def test_saved_and_opened_it_is_the_same(tmp_path: Path) -> None:
    model = flat_writer()
    found = PromptInversion(steps=2, snapshots=(1,))(model, model.draw(["red"]))
    again = obvert.open(obvert.save(found, tmp_path / "run"))
    assert torch.equal(again.x, found.x)
    assert again.texts == found.texts
    assert again.settings == found.settings


def test_presets() -> None:
    assert PromptInversion.naive().unknown == "prompt"
    assert PromptInversion.regularised(steps=7).steps == 7
    assert SpeechPromptInversion.naive().unknown == "embeddings"
    assert SpeechPromptInversion.regularised().unknown == "tokens"
