"""The recogniser's recipe: Whisper's own spectrogram and tokens, errors counted right, a training that can be repeated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import obvert.zoo.recogniser as recogniser
from obvert.zoo import espeak
from obvert.zoo.hearing import END, PREFIX, encode, extractor, filters, log_mel, token_ids, tokenizer, word_error_rate
from obvert.zoo.recogniser import RecogniserRecipe, disturbed, masked
from obvert.zoo.speech import Corpus, phrases

SMALL = RecogniserRecipe(width=16, heads=2, layers=1, mels=20, steps=2, batch=2, pool=4)
RNG = np.random.default_rng(0)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Corpus:
    """Four "phrases" of noise, so that no espeak-ng is needed."""
    samples = RNG.integers(-9000, 9000, 4 * 20000).astype(np.int16)
    ends = np.arange(1, 5) * 20000
    made = Corpus(texts=phrases(4, 0), samples=samples, ends=ends, starts=np.zeros((4, 12), dtype=np.int32))
    monkeypatch.setattr(recogniser, "corpus", lambda *_: made)
    monkeypatch.setattr(recogniser, "held_out", lambda *_: made)
    monkeypatch.setattr(recogniser, "EXAMPLES", 2)
    return made


@pytest.mark.parametrize("mels", [64, 80])
def test_the_spectrogram_is_whispers(mels: int) -> None:
    sound = (0.1 * RNG.standard_normal(30000)).astype(np.float32)
    given = extractor(mels)(sound, sampling_rate=16000, return_tensors="pt")["input_features"]
    padded = torch.from_numpy(np.pad(sound, (0, 48000 - 30000)))[None]
    torch.testing.assert_close(log_mel(padded, filters(mels)), given, rtol=0, atol=1e-5)


def test_tokens_are_words_with_whispers_around(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer().save_pretrained(tmp_path)
    words, ids = AutoTokenizer.from_pretrained(tmp_path), token_ids()
    text = "a red apple on a wooden table"
    given = words(text)["input_ids"]
    assert given == encode([text])[0].tolist() == [ids[token] for token in (*PREFIX, *text.split(), END)]
    assert words.decode(given, skip_special_tokens=True) == text
    assert len(words) == len(ids)
    assert words("a zebra", add_special_tokens=False)["input_ids"] == [ids["a"], words.unk_token_id]


def test_what_generation_needs_is_there() -> None:
    config, ids = SMALL.build().generation_config, token_ids()
    assert config.lang_to_id == {"<|en|>": ids["<|en|>"]}
    assert config.task_to_id == {"translate": ids["<|translate|>"], "transcribe": ids["<|transcribe|>"]}
    assert config.no_timestamps_token_id == max(ids.values())


def test_disturbing_keeps_the_window_and_masks_are_blank() -> None:
    sound = 0.5 * np.ones(1000, dtype=np.float32)
    for seed in range(20):
        window = disturbed(sound, np.random.default_rng(seed))
        assert window.shape == (48000,)
        assert np.abs(window).max() <= 1
    mels = masked(torch.ones(4, 20, 300), np.random.default_rng(0))
    assert 0 < (mels == 0).float().mean() < 0.4


def test_word_errors_are_counted() -> None:
    assert word_error_rate(["a red circle"], ["a red circle"]) == 0
    assert word_error_rate(["a blue circle", "the"], ["a red circle", ""]) == pytest.approx(2 / 3)
    assert word_error_rate(["circle"], ["a red circle"]) == pytest.approx(2 / 3)


def test_a_training_goes_on_where_it_stopped_and_is_written(heard: Corpus, tmp_path: Path) -> None:
    def trained(place: str) -> dict[str, Any]:
        model, _ = SMALL.train(tmp_path / place)
        return model.state_dict()

    first = trained("one")
    for place in ("one", "two"):  # resumed, and anew
        assert all(torch.equal(first[key], value) for key, value in trained(place).items())
    (tmp_path / "model").mkdir()
    SMALL.export(SMALL.train(tmp_path / "one")[0], tmp_path / "model", 0.1)
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["recipe"]["mels"] == 20
    assert set(card["scores"]) == {"wer", "noisy", "exact"}
    assert len(list((tmp_path / "model" / "examples").glob("*.wav"))) == 2


@pytest.mark.skipif(not espeak.found(), reason="needs espeak-ng: apt-get install espeak-ng")
def test_it_learns_from_what_espeak_speaks(tmp_path: Path) -> None:
    model, _ = SMALL.train(tmp_path / "training")
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert list((tmp_path / "training.speech").glob("*.safetensors"))


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="need steps >= 1"):
        RecogniserRecipe(batch=9, pool=8)
