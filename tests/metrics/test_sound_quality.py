"""Sounds against themselves, noise and silence; what is not defined is NaN and says why."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.metrics import bounds_of_quality, log_mel_distance, pesq, sound_quality, stoi

with_pesq = pytest.mark.skipif(find_spec("pesq") is None, reason="the extra `audio` is not installed (pesq needs a C compiler)")
with_stoi = pytest.mark.skipif(find_spec("pystoi") is None, reason="the extra `audio` is not installed")


def babble(count: int = 2, samples: int = 16_000) -> Tensor:
    """Buzzes whose pitch and loudness change some times a second: enough like speech to be judged."""
    t = torch.arange(samples, dtype=torch.float64) / 16_000
    rows = []
    for row in range(count):
        pitch = 120 + 30 * row + 20 * torch.sin(2 * torch.pi * 3 * t)
        phase = 2 * torch.pi * pitch.cumsum(0) / 16_000
        voice = sum(torch.sin(k * phase) / k for k in range(1, 25))
        rows.append(voice * torch.sin(2 * torch.pi * (2 + row) * t).clamp(min=0) * 0.1)
    return torch.stack(rows)[:, None]


def hiss(like: Tensor) -> Tensor:
    return 0.05 * torch.randn(like.shape, generator=torch.Generator().manual_seed(0), dtype=like.dtype)


@with_pesq
def test_pesq_of_itself_of_noise_and_at_another_rate() -> None:
    sound = babble()
    assert pesq(sound, sound, 16_000).tolist() == pytest.approx([4.644] * 2, abs=1e-3)
    assert (pesq(sound, hiss(sound), 16_000) < 1.5).all()
    assert pesq(sound, sound + 0.02 * hiss(sound), 16_000)[0] > pesq(sound, sound + hiss(sound), 16_000)[0]
    assert pesq(sound.float(), sound.float(), 22_050).tolist() == pytest.approx([4.644] * 2, abs=1e-3)
    both = pesq(sound, sound + hiss(sound), 16_000)
    assert both[1] == pesq(sound[1:], (sound + hiss(sound))[1:], 16_000)


@with_pesq
def test_pesq_is_nan_where_it_is_not_defined() -> None:
    sound, silence = babble(1), torch.zeros(1, 1, 16_000)
    for one, other, why in (
        (silence, sound, "1 of 1: sample 0, the reference is silent"),
        (sound, silence, "the found sound is silent"),
        (sound[..., :3000], sound[..., :3000], "0.19 s are too short"),
    ):
        with pytest.warns(UserWarning, match=why):
            assert pesq(one.double(), other.double(), 16_000).isnan().all()
    with pytest.warns(UserWarning, match="1 of 2: sample 1"):
        found = pesq(torch.cat([sound, sound]), torch.cat([sound, silence]), 16_000)
    assert found.isnan().tolist() == [False, True]


@with_stoi
def test_stoi_of_itself_of_noise_and_of_too_little() -> None:
    sound = babble()
    assert stoi(sound, sound, 16_000).tolist() == pytest.approx([1] * 2, abs=1e-6)
    assert stoi(sound, 0.3 * sound, 16_000).tolist() == pytest.approx([1] * 2, abs=1e-6)
    assert (stoi(sound, hiss(sound), 16_000) < 0.5).all()
    for short in (100, 2000):
        with pytest.warns(UserWarning, match="STOI is not defined for 2 of 2"):
            assert stoi(sound[..., 4000 : 4000 + short], sound[..., 4000 : 4000 + short], 16_000).isnan().all()
    with pytest.warns(UserWarning, match="found sound is silent"):
        assert stoi(sound, torch.zeros_like(sound), 16_000).isnan().all()


def test_log_mel_distance_is_in_decibels() -> None:
    sound = babble()
    assert log_mel_distance(sound, sound, 16_000).tolist() == [0, 0]
    # The floor moves with the loudest, so that a gain shifts every bin alike.
    assert log_mel_distance(sound, 0.1 * sound, 16_000).tolist() == pytest.approx([20] * 2, abs=0.1)
    assert log_mel_distance(sound[..., :7], sound[..., :7], 8000).shape == (2,)


@with_pesq
@with_stoi
def test_floor_result_and_ceiling_are_in_order() -> None:
    sound = babble(1)
    bounds = bounds_of_quality(sound, 16_000)
    result = sound_quality(sound, sound + 0.2 * hiss(sound), 16_000)
    assert set(result) == set(bounds["floor"]) == set(bounds["ceiling"]) == {"pesq", "stoi", "log_mel_db"}
    assert bounds["floor"]["pesq"] < result["pesq"]
    assert bounds["floor"]["pesq"] < bounds["ceiling"]["pesq"]
    assert bounds["floor"]["log_mel_db"] > bounds["ceiling"]["log_mel_db"]
    perfect = bounds_of_quality(sound, 16_000, vocoder=lambda x: x)["ceiling"]
    assert perfect["stoi"].item() == pytest.approx(1)
    assert perfect["log_mel_db"] == 0


@pytest.mark.parametrize(("measure", "package"), [(pesq, "pesq"), (stoi, "pystoi")])
def test_a_missing_package_is_told(measure: object, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ObvertError, match=rf"need the package {package}, .*pip install 'obvert\[audio\]'"):
        measure(babble(), babble(), 16_000)  # type: ignore[operator]


def test_what_cannot_be_compared_is_refused() -> None:
    sound = babble()
    for one, other in ((sound, sound[:1]), (sound[:, 0], sound[:, 0]), (sound[..., :0], sound[..., :0])):
        with pytest.raises(ValueError, match=r"need two batches of sounds \(B, 1, S\)"):
            log_mel_distance(one, other, 16_000)
    with pytest.raises(ValueError, match="finite"):
        log_mel_distance(sound, sound * torch.nan, 16_000)


@with_pesq
def test_of_speech_noise_is_the_floor_and_a_true_log_mel_far_above_it(shared_data: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples, rate = soundfile.read(shared_data / "speech" / "ljspeech" / "LJ001-0002.wav")
    bounds = bounds_of_quality(torch.from_numpy(samples)[None, None], rate)
    assert bounds["floor"]["pesq"].item() == pytest.approx(1.03, abs=0.05)
    assert bounds["ceiling"]["pesq"].item() > 3.5
    assert bounds["floor"]["stoi"].item() < 0.5
    assert bounds["ceiling"]["stoi"].item() > 0.97
