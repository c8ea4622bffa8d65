"""Parts of synthesisers: durations that sum exactly, groups, the mel spectrogram, and what a broken folder is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_synthesisers
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import obvert
from obvert.core import ObvertError
from obvert.hub import kind_of
from obvert.models import load_autoencoder, load_diffusion, load_dual, load_reader, load_writer
from obvert.models.parts.mel import Mel
from obvert.models.parts.speaking import Alphabet, in_groups, stretched


@example(durations=[2.3e-308], total=4)
@given(durations=st.lists(st.floats(0, 50), min_size=1, max_size=9), total=st.integers(0, 200))
@settings(deadline=None, max_examples=50)
def test_stretched_durations_sum_exactly(durations: list[float], total: int) -> None:
    given = torch.tensor([durations], dtype=torch.float64)
    found = stretched(given, total)
    assert found.sum() == total
    assert found.min() >= 0
    share = given / given.sum() if given.sum() > 0 else torch.full_like(given, 1 / len(durations))
    assert (found - total * share).abs().max() <= 1 + 1e-9


def test_whole_durations_stay() -> None:
    whole = torch.tensor([[3, 0, 7, 1], [1, 1, 1, 8]])
    assert torch.equal(stretched(whole, 11), whole)
    assert stretched(torch.zeros(1, 4), 8).tolist() == [[2, 2, 2, 2]]


def test_groups_keep_the_order() -> None:
    asked = []

    def run(rows: torch.Tensor, key: int) -> torch.Tensor:
        asked.append((key, rows.tolist()))
        return 10 * rows + key

    assert in_groups([2, 1, 2], run).tolist() == [2, 11, 22]
    assert asked == [(2, [0, 2]), (1, [1])]


def test_zeros_at_the_end_are_no_tokens() -> None:
    rows = torch.ones(3, 4, 2)
    rows[0, 1:] = rows[1, :3] = rows[2] = 0
    assert Alphabet.spoken(rows).tolist() == [1, 4, 0]


@pytest.mark.parametrize("config", [{}, {"sampling_rate": 22050, "num_mel_bins": 40, "win_length": 40, "fmin": 0, "fmax": 11025}])
def test_the_mel_spectrogram_is_that_of_the_class(config: dict[str, Any]) -> None:
    from transformers import SpeechT5FeatureExtractor

    mel, sound = Mel.speecht5(config), 0.3 * torch.randn(2, 5000, generator=torch.Generator().manual_seed(0))
    theirs = SpeechT5FeatureExtractor(**config)
    wanted = theirs(audio_target=list(sound.numpy()), sampling_rate=mel.rate)["input_values"]
    frames = 5000 // mel.hop
    torch.testing.assert_close(mel(sound), torch.from_numpy(np.stack(wanted))[:, :frames], rtol=0, atol=2e-4)
    x = torch.zeros(1, 3000, requires_grad=True)
    (gradient,) = torch.autograd.grad(mel(x + 0.01 * sound[:1, :3000]).sum(), x)
    assert gradient.isfinite().all()
    assert torch.autograd.grad(mel(x).sum(), x)[0].isfinite().all()


def test_a_tone_is_heard_in_its_band() -> None:
    mel = Mel.vits(16000, 1024, 256)
    tone = torch.sin(2 * np.pi * 1000 * torch.arange(8192) / 16000)[None]
    frequency = torch.linspace(0, 8000, 513)
    loudest = mel(tone)[0, 10].argmax()
    centre = frequency[mel.filters[:, loudest].argmax()]
    assert abs(centre - 1000) < 50
    assert mel(tone).shape == (1, 32, 80)
    with pytest.raises(ObvertError, match="more than 384 samples, got 384"):
        mel(tone[:, :384])


@pytest.mark.parametrize(
    "config", [{"win_function": "hamming"}, {"fmax": 9000}, {"hop_length": 0}, {"num_mel_bins": "80"}, {"fmin": 7700}]
)
def test_other_spectrograms_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ObvertError, match="for a spectrogram, got"):
        Mel.speecht5(config)


def load(folder: Path) -> Any:
    return load_writer(str(folder), device="cpu")


def test_what_another_text_is_told(tmp_path: Path) -> None:
    model = load(tiny_synthesisers.vits(tmp_path / "model").folder)
    with pytest.raises(ObvertError, match=r"need 1 to 200 tokens for .*, got 0 in '123'"):
        model.draw(["123"])
    with pytest.raises(ObvertError, match=r"need 1 to 200 tokens for .*, got 201 in 'aaa"):
        model.draw(["a" * 201])
    silent = model.draw([""])
    assert silent.shape[:2] == (1, 1)
    assert silent.shape[2] > 0
    with pytest.raises(ObvertError, match=r"of at most 20 s at 16000 Hz for .*, got \(1, 1, 320001\)"):
        model.mismatch(model.prompt(model.embed(model.tokens(["a"]))), torch.ones(1, 1, 320001))


def test_speech_that_would_never_end_is_cut(tmp_path: Path) -> None:
    for make in (tiny_synthesisers.vits_without_blanks, tiny_synthesisers.fastspeech2):
        model = load(make(tmp_path / make.__name__).folder)
        name = next(n for n in model.parameters() if "duration_predictor" in n and n.endswith(("proj.bias", "linear.bias")))
        model.parameters()[name].fill_(7)
        assert 19 < model.draw(["red moon"]).shape[2] / model.medium.rate <= 20


def test_silence_after_a_sound_is_not_part_of_it(tmp_path: Path) -> None:
    model = load(tiny_synthesisers.vits(tmp_path / "model").folder)
    told = model.prompt(model.embed(model.tokens(["red moon"])))
    sound = model.write(told)
    assert model.mismatch(told, torch.nn.functional.pad(sound, (0, 5000))) == model.mismatch(told, sound) < 1e-6
    with pytest.raises(ObvertError, match=r"need sounds that are not silent for .*, got silence at 0"):
        model.mismatch(told, torch.zeros_like(sound))


def test_synthesisers_are_told_from_other_models(tmp_path: Path) -> None:
    folder = tiny_synthesisers.vits(tmp_path / "model").folder
    assert kind_of(folder) == "synthesiser"
    assert isinstance(obvert.load(str(folder), device="cpu"), obvert.Writer)
    for other in (load_dual, load_reader, load_diffusion, load_autoencoder):
        with pytest.raises(ObvertError, match="got the speech synthesiser"):
            other(str(folder), device="cpu")


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def speaker_of_three(folder: Path) -> None:
    save_file({"speaker": torch.zeros(3)}, folder / "speaker.safetensors")


def another_hop(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hop_length": 10}))


@pytest.mark.parametrize(
    ("make", "spoil", "message"),
    [
        (tiny_synthesisers.speecht5, without("vocoder/config.json"), "need a SpeechT5HifiGan in .*vocoder, got none"),
        (tiny_synthesisers.speecht5, without("vocoder/model.safetensors"), "need a SpeechT5HifiGan in safetensors"),
        (tiny_synthesisers.speecht5, without("preprocessor_config.json"), "need a readable preprocessor_config.json"),
        (tiny_synthesisers.speecht5, another_hop, "need a spectrogram of 20 bands every 256 samples in .*, got 20 every 160"),
        (tiny_synthesisers.speecht5, speaker_of_three, "need a speaker embedding of 4 numbers"),
        (tiny_synthesisers.fastspeech2, another_hop, "need a spectrogram of 20 bands every 256 samples in .*, got 20 every 160"),
        (tiny_synthesisers.vits, without("vocab.json"), "need a tokenizer in"),
    ],
)
def test_broken_folders_are_one_line(
    make: Callable[[Path], Any], spoil: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    spoil(make(tmp_path / "model").folder)
    with pytest.raises(ObvertError, match=message) as caught:
        load(tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_what_a_folder_does_not_tell_is_warned_of(tmp_path: Path) -> None:
    folder = tiny_synthesisers.speecht5(tmp_path / "one").folder
    (folder / "speaker.safetensors").unlink()
    with pytest.warns(UserWarning, match="speaks with an embedding of zeros"):
        load(folder)
    folder = tiny_synthesisers.fastspeech2_beside(tmp_path / "other").folder
    with (
        pytest.warns(UserWarning, match="does not tell its spectrogram"),
        pytest.warns(UserWarning, match="speaks with the first of its 2 speakers"),
        pytest.warns(UserWarning, match="no speaker.safetensors"),
    ):
        load(folder)
