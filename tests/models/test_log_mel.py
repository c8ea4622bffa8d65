"""The log-mel spectrogram and Griffin-Lim: equal to the extractor, gradients, silence, and the way back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import WhisperFeatureExtractor

from obvert.core import ObvertError
from obvert.mel import griffin_lim
from obvert.models.parts.log_mel import LogMel

SHORT = LogMel.from_config({"chunk_length": 1})


def sound(seconds: float, rate: int = 16000, seed: int = 0) -> Tensor:
    """A falling tone in noise, (1, S)."""
    time = torch.arange(round(seconds * rate)) / rate
    noise = torch.randn(len(time), generator=torch.Generator().manual_seed(seed))
    return (0.3 * torch.sin(2 * torch.pi * (400 - 50 * time) * time) * torch.exp(-time) + 0.01 * noise)[None]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"feature_size": 128},
        {"chunk_length": 4},
        {"chunk_length": 2, "sampling_rate": 22050, "n_fft": 512, "hop_length": 200},
    ],
)
def test_equals_the_extractor(settings: dict[str, Any]) -> None:
    extractor = WhisperFeatureExtractor(**settings)
    log_mel = LogMel.from_config(extractor.to_dict())
    rate = extractor.sampling_rate
    sounds = [sound(0.7, rate), sound(extractor.chunk_length, rate, 1), torch.zeros(1, 800)]
    truth = torch.as_tensor(extractor([s[0].numpy() for s in sounds], sampling_rate=rate)["input_features"])
    assert log_mel.shape == truth.shape[1:] == (extractor.feature_size, extractor.nb_max_frames)
    assert torch.equal(log_mel(sounds), truth)
    assert torch.equal(log_mel(sounds[:1]), truth[:1])
    assert LogMel.from_config({"feature_extractor": extractor.to_dict()}).shape == log_mel.shape


def test_shorter_sounds_end_in_silence() -> None:
    assert torch.equal(SHORT([sound(0.5)]), SHORT([torch.nn.functional.pad(sound(0.5), (0, 8000))]))


def test_silence_is_a_number_and_so_is_its_gradient() -> None:
    for x in (torch.zeros(1, 16000), torch.full((1, 16000), 1e-12), torch.cat((torch.zeros(1, 8000), sound(0.5)), dim=1)):
        x.requires_grad_()
        found = SHORT([x])
        (gradient,) = torch.autograd.grad(found.sum(), x)
        assert found.isfinite().all()
        assert gradient.isfinite().all()
    assert (SHORT([torch.zeros(1, 9)]) == -1.5).all()
    assert SHORT.undo(torch.full((1, 80, 100), -1.5)).abs().max() < 1e-3
    assert SHORT.undo(torch.full((1, 80, 100), 1e3)).isfinite().all()


def test_gradient_is_that_of_differences() -> None:
    x, way = sound(1).double(), torch.randn(1, 16000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = x.clone().requires_grad_()
    weights = torch.randn(80, 100, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (gradient,) = torch.autograd.grad((SHORT([y]) * weights).sum(), y)
    slope = ((SHORT([x + 1e-6 * way]) - SHORT([x - 1e-6 * way])) * weights).sum() / 2e-6
    torch.testing.assert_close((gradient * way).sum(), slope, rtol=1e-4, atol=0)


def test_what_does_not_fit_is_told() -> None:
    for wrong, told in (
        (torch.zeros(1, 16001), r"need at most 1 s of sound at 16000 Hz, got 1\.0 s"),
        (torch.zeros(1, 40000), r"need at most 1 s of sound at 16000 Hz, got 2\.5 s at 1"),
        (torch.zeros(2, 800), "need sounds"),
        (torch.zeros(800), "need sounds"),
        (torch.zeros(1, 0), "need sounds"),
        (torch.zeros(1, 800).short(), "need sounds"),
    ):
        with pytest.raises(ObvertError, match=told):
            SHORT([sound(0.1), wrong])
    with pytest.raises(ObvertError, match="got none"):
        SHORT([])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"dither": 1e-4}, "without dither"),
        ({"padding_value": 1.0}, "pads with 0"),
        ({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}, "WhisperFeatureExtractor"),
        ({"n_fft": "400"}, "whole numbers"),
        ({"chunk_length": 0.5}, "whole numbers"),
        ({"hop_length": 0}, "at least 1"),
        ({"n_fft": 401}, "even n_fft"),
        ({"hop_length": 201}, "even n_fft of at least 2 hop_length"),
    ],
)
def test_unsupported_settings_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LogMel.from_config(settings)


def test_griffin_lim_finds_a_sound_of_these_magnitudes() -> None:
    x = torch.cat((sound(1), sound(1, seed=3)))
    window = torch.hann_window(400)
    magnitude = torch.stft(x, 400, 160, window=window, return_complex=True).abs()
    wrong = []
    for iterations in (0, 8, 32):
        found = griffin_lim(magnitude, hop=160, samples=16000, iterations=iterations)
        assert found.shape == x.shape
        again = torch.stft(found, 400, 160, window=window, return_complex=True).abs()
        wrong.append(((again - magnitude).norm() / magnitude.norm()).item())
    assert wrong[0] > 2 * wrong[1] > 2 * wrong[2]
    assert wrong[2] < 0.1
    assert torch.equal(griffin_lim(magnitude, hop=160, samples=16000), found)  # the same each time, and for each sample
    torch.testing.assert_close(griffin_lim(magnitude[1:], hop=160, samples=16000), found[1:], rtol=1e-4, atol=1e-5)
    assert griffin_lim(torch.zeros_like(magnitude), hop=160, samples=16000).abs().max() == 0


def test_what_would_be_too_loud_is_turned_down_as_a_whole() -> None:
    sound = SHORT.undo(torch.rand(2, 80, 100, generator=torch.Generator().manual_seed(0)) + 1.5)
    assert sound.abs().amax((1, 2)).tolist() == pytest.approx([1, 1])
    assert (sound.abs() > 0.99).double().mean() < 0.01  # not cut off
