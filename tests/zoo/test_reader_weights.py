"""The embedded captioners, recognisers and the synthesiser are what their cards say, on scenes and phrases they never saw."""

from __future__ import annotations

import dataclasses
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import obvert
from obvert.hub import ZOO
from obvert.models.parts.folder import read_model
from obvert.zoo import espeak
from obvert.zoo.captioner import bare
from obvert.zoo.captioner import read as see
from obvert.zoo.exam import pictures
from obvert.zoo.hearing import held_out, read, token_ids, word_error_rate
from obvert.zoo.lessons import LETTERS
from obvert.zoo.questions import KINDS as QUESTIONS
from obvert.zoo.recipes import RECIPES
from obvert.zoo.scenes import sample
from obvert.zoo.speech import phrases
from obvert.zoo.synthesiser import say

CAPTIONERS = [name for name in ("captioner", "captioner-2") if (ZOO / name).is_dir()]
RECOGNISERS = [name for name in ("speech-recogniser", "speech-recogniser-2") if (ZOO / name).is_dir()]
SEEING = [name for name in ("vlm", "vlm-2") if (ZOO / name).is_dir()]
SYNTHESISERS = [name for name in ("speech-synthesiser",) if (ZOO / name).is_dir()]


def card(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ZOO / name / "card.json").read_text())
    assert found["recipe"] == json.loads(json.dumps(dataclasses.asdict(RECIPES[name])))  # type: ignore[call-overload]
    return found


def whisper(name: str) -> Any:
    return read_model("WhisperForConditionalGeneration", ZOO / name)


def tokens(name: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(ZOO / name)


def examples() -> tuple[list[str], list[np.ndarray]]:
    """The phrases spoken beside the recogniser's weights."""
    texts, sounds = [], []
    for path in sorted((ZOO / "speech-recogniser" / "examples").glob("*.wav")):
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            sounds.append(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768)
        texts.append(path.stem.replace("-", " "))
    return texts, sounds


@pytest.mark.parametrize("name", CAPTIONERS)
def test_an_embedded_captioner_is_what_its_card_says(name: str) -> None:
    told = card(name)["scores"]
    assert told["both"] >= 0.95
    assert told["plain"] >= 0.9
    model = read_model("BlipForConditionalGeneration", ZOO / name)
    scenes = sample(96, 987_654_321, things=1)
    right = [
        bare(text) == f"{scene.things[0].colour} {scene.things[0].shape}"
        for text, scene in zip(see(model, scenes), scenes, strict=True)
    ]
    assert np.mean(right) == pytest.approx(told["both"], abs=0.06)


@pytest.mark.parametrize("name", SEEING)
def test_an_embedded_vision_language_model_is_what_its_card_says(name: str) -> None:
    told = card(name)["scores"]
    assert told["all"] >= 0.9
    assert min(told.values()) >= 0.85
    model, rng = obvert.load(f"zoo/{name}", device="cpu"), np.random.default_rng(0)
    scenes = sample(64, 987_654_321)
    right = []
    for question in QUESTIONS.values():
        for scene in scenes[:16]:
            if turn := question(scene, rng):
                right.append(model.ask(turn[0]).read(pictures([scene])) == [turn[1]])  # type: ignore[union-attr]
    assert len(right) > 60
    assert np.mean(right) == pytest.approx(told["all"], abs=0.07)


@pytest.mark.parametrize("name", RECOGNISERS)
def test_an_embedded_recogniser_is_what_its_card_says(name: str) -> None:
    told = card(name)["scores"]
    assert told["wer"] < 0.05
    assert len(tokens(name)) == len(token_ids())
    texts, sounds = examples()
    assert len(texts) == len(sounds) == 39
    assert not set(texts) & set(phrases(2000, 1))
    assert word_error_rate(read(whisper(name), sounds), texts) <= 0.1


@pytest.mark.skipif(not espeak.found(), reason="needs espeak-ng: apt-get install espeak-ng")
@pytest.mark.parametrize("name", RECOGNISERS)
def test_an_embedded_recogniser_reads_what_is_spoken_now(name: str, tmp_path: Path) -> None:
    given = held_out(48, tmp_path)
    said = read(whisper(name), [given.wave(i) for i in range(len(given.texts))])
    assert word_error_rate(said, given.texts) <= card(name)["scores"]["wer"] + 0.05


@pytest.mark.parametrize("name", SYNTHESISERS)
def test_an_embedded_synthesiser_is_understood(name: str) -> None:
    told = card(name)["scores"]
    assert told["wer"] < 0.15
    model = read_model("FastSpeech2ConformerWithHifiGan", ZOO / name)
    assert [tokens(name).decode([i]) for i in range(2, 29)] == list(LETTERS)
    texts = phrases(16, 987_654_321, held_out=True)
    for judge in RECOGNISERS:
        assert word_error_rate(read(whisper(judge), say(model, texts)), texts) <= 0.2
