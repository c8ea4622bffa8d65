"""The synthesiser's recipe: spectra, pitch and durations with known answers, and a training that can be repeated."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import obvert.zoo.synthesiser as synthesiser
from obvert.zoo import espeak
from obvert.zoo.lessons import Lesson, batch, crops, encode, tokenizer
from obvert.zoo.spectra import HOP, MELS, durations, log_mel, means, pitch, stft_loss
from obvert.zoo.speech import Corpus
from obvert.zoo.synthesiser import PREPROCESSOR, SynthesiserRecipe, say

SMALL = SynthesiserRecipe(width=16, layers=1, channels=16, steps=2, batch=2, vocoder_steps=2, crop=8, pool=4)
NOISE = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)) * 0.1


def tone(hertz: float) -> torch.Tensor:
    """A second of a sawtooth-like tone."""
    time = torch.arange(16000) / 16000
    return sum(torch.sin(2 * math.pi * hertz * k * time) / k for k in range(1, 6)) * 0.2


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Corpus:
    """Four "phrases" of noise, so that no espeak-ng is needed."""
    samples = np.random.default_rng(0).integers(-9000, 9000, 4 * 12000).astype(np.int16)
    starts = np.array([[0, 1000, 5000] + [-1] * 9] * 4, dtype=np.int32)
    texts = ["a red circle", "a blue star", "two pink hats", "a cyan cup"]
    made = Corpus(texts=texts, samples=samples, ends=np.arange(1, 5) * 12000, starts=starts)
    monkeypatch.setattr(synthesiser, "spoken", lambda *_: made)
    return made


def test_the_spectrogram_is_what_the_preprocessor_says() -> None:
    from transformers import SpeechT5FeatureExtractor

    settings = {key: value for key, value in PREPROCESSOR.items() if key != "feature_extractor_type"}
    given = SpeechT5FeatureExtractor(**settings)(audio_target=NOISE[0].numpy(), sampling_rate=16000, return_tensors="pt")
    assert log_mel(NOISE).shape == (2, 1 + 16000 // HOP, MELS)
    torch.testing.assert_close(log_mel(NOISE)[:1], given["input_values"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("hertz", [100.0, 120.0, 240.0])
def test_pitch_of_a_tone(hertz: float) -> None:
    told = pitch(tone(hertz))
    assert told.shape == (1 + 16000 // HOP,)
    torch.testing.assert_close(told[4:-4].median(), torch.tensor(math.log2(hertz / 120)), rtol=0, atol=0.03)
    assert pitch(torch.zeros(16000)).isnan().all()


def test_letters_share_the_frames_of_their_word() -> None:
    assert durations("ab cd", np.array([0, 6 * HOP, -1]), 12).tolist() == [2, 2, 2, 3, 3]
    assert durations("ab cd", np.array([0, -1, -1]), 10).tolist() == [2, 2, 2, 2, 2]  # spoken in one
    assert durations("a bcd ef", np.array([0, 2 * HOP, 99 * HOP]), 7).sum() == 7  # a start behind the end


def test_means_leave_out_what_is_not_there() -> None:
    frames = torch.tensor([1.0, 3.0, float("nan"), 5.0, float("nan")])
    assert means(frames, torch.tensor([2, 0, 2, 1])).tolist() == [2.0, 0.0, 5.0, 0.0]


def test_equal_sounds_have_no_loss_and_silence_a_finite_gradient() -> None:
    assert stft_loss(NOISE, NOISE) == 0
    silence = torch.zeros(2, 16000, requires_grad=True)
    stft_loss(silence, NOISE).backward()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()
    assert stft_loss(NOISE * 0.9, NOISE) < stft_loss(NOISE * 0.5, NOISE)


def test_tokens_are_letters(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer().save_pretrained(tmp_path)
    letters = AutoTokenizer.from_pretrained(tmp_path)
    text = "a red circle"
    given = letters(text)["input_ids"]
    assert given == encode([text])[0].tolist()
    assert len(given) == len(text)
    assert letters.decode(given) == text


def test_crops_of_spectra_and_sounds_belong_together(heard: Corpus) -> None:
    lessons = [Lesson.of(heard, i) for i in range(4)]
    assert all(lesson.durations.sum() == len(lesson.mel) == 1 + 12000 // HOP for lesson in lessons)
    mels, sounds = crops(lessons, 16, np.random.default_rng(0))
    assert (mels.shape, sounds.shape) == ((4, 16, MELS), (4, 16 * HOP))
    again = log_mel(sounds)[:, 3:-4]  # a frame is centred HOP / 2 into the samples that the vocoder makes of it
    assert (again - (mels[:, 3:-3] + mels[:, 2:-4]) / 2).abs().mean() < (again - mels[:, 6:]).abs().mean()
    assert batch(lessons)["spectrogram_labels"].shape == (4, 47, MELS)


def test_a_training_goes_on_where_it_stopped_and_is_written(
    heard: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(place: str) -> dict[str, Any]:
        return SMALL.train(tmp_path / place)[0].state_dict()

    first = trained("one")
    for place in ("one", "two"):  # resumed, and anew
        assert all(torch.equal(first[key], value) for key, value in trained(place).items())
    monkeypatch.setattr(synthesiser, "examine", lambda model, judge: {"frames": len(say(model, ["a"])[0]) / HOP})
    (tmp_path / "model").mkdir()
    SMALL.export(SMALL.train(tmp_path / "one")[0], tmp_path / "model", 0.1)
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["recipe"] == dataclasses.asdict(SMALL)
    assert card["scores"]["frames"] == int(card["scores"]["frames"]) >= 1


@pytest.mark.skipif(not espeak.found(), reason="needs espeak-ng: apt-get install espeak-ng")
def test_it_learns_from_what_espeak_speaks(tmp_path: Path) -> None:
    model, _ = SMALL.train(tmp_path / "training")
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="need steps >= 1"):
        SynthesiserRecipe(crop=0)
