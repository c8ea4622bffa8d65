"""Speech: a closed grammar that a seed decides, and what espeak-ng makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from obvert.core import ObvertError
from obvert.zoo import espeak
from obvert.zoo.espeak import RATE, Voice, speak
from obvert.zoo.scenes import COLOURS, SHAPES
from obvert.zoo.speech import SECONDS, corpus, phrases, vocabulary, voices

spoken = pytest.mark.skipif(not espeak.found(), reason="needs espeak-ng: apt-get install espeak-ng")


def test_the_grammar_is_closed_and_holds_about_a_hundred_words() -> None:
    words = vocabulary()
    assert len(words) == len(set(words))
    assert 90 <= len(words) <= 110
    assert {*COLOURS, *SHAPES} < set(words)
    assert {word for text in phrases(4000, 0) for word in text.split()} == set(words)


def test_a_seed_decides_the_phrases() -> None:
    assert phrases(50, 3) == phrases(50, 3) != phrases(50, 4)
    assert all(3 <= len(text.split()) <= 10 for text in phrases(500, 1))


def test_held_out_phrases_are_never_trained_on() -> None:
    assert not set(phrases(3000, 0)) & set(phrases(500, 1, held_out=True))


def test_without_espeak_one_line_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    espeak._library.cache_clear()
    monkeypatch.setattr(espeak, "found", lambda: "")
    with pytest.raises(ObvertError, match="need espeak-ng to make speech, got none: apt-get install espeak-ng"):
        speak("a red circle", Voice())


@spoken
def test_words_start_one_after_another() -> None:
    samples, starts = speak("find the cyan book on the table", Voice(name="en-us+f1"))
    assert samples.dtype == np.int16
    assert RATE < len(samples) < SECONDS * RATE
    assert len(starts) == 7
    assert starts[5] == -1  # "on the" is spoken in one
    told = [start for start in starts if start >= 0]
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] < len(samples)


@spoken
def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(ObvertError, match="need a voice of espeak-ng, got 'nobody'"):
        speak("a red circle", Voice(name="nobody"))


@spoken
def test_a_corpus_is_spoken_once_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = phrases(6, 0)
    made = corpus(texts, voices(), 0, tmp_path)
    assert set(made.texts) <= set(texts)
    assert sum(len(made.wave(i)) for i in range(len(made.texts))) == len(made.samples)
    assert max(np.abs(made.wave(i)).max() for i in range(len(made.texts))) <= 1
    monkeypatch.setattr("obvert.zoo.speech.speak", None)
    again = corpus(texts, voices(), 0, tmp_path)
    assert again.texts == made.texts
    assert np.array_equal(again.samples, made.samples)
    with pytest.raises(TypeError):  # another seed is another corpus
        corpus(texts, voices(), 1, tmp_path)
