"""Sounds: what a file says comes in, at the model's rate and channels, and goes out again bit by bit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from obvert.core import Autoencoder, ObvertError
from obvert.media import Medium, difference, read, save, still

RATE = 8000


def model(channels: int | None = 1, rate: int | None = RATE) -> Autoencoder:
    return Autoencoder.from_functions(
        lambda x: x, lambda z: z, media="sound", bounds=(-1.0, 1.0), channels=channels, rate=rate, name="toy"
    )


def sine(hertz: float = 440, rate: int = RATE, seconds: float = 0.5, height: float = 0.5) -> np.ndarray:
    return height * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize(("suffix", "near"), [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.05), ("mp3", 0.05)])
def test_every_format_is_read(tmp_path: Path, suffix: str, near: float) -> None:
    soundfile.write(tmp_path / f"x.{suffix}", sine(), RATE)
    found = read(tmp_path / f"x.{suffix}", model())
    assert (found.kind, found.rate, found.data.shape) == ("sound", RATE, (1, 4000))
    inside = slice(1000, 3000)  # lossy ones are not right at their ends
    torch.testing.assert_close(found.data[0, inside], torch.from_numpy(sine()).float()[inside], rtol=0, atol=near)


def test_sixteen_bits_go_out_and_come_back_as_they_were(tmp_path: Path) -> None:
    data = torch.randint(-32768, 32768, (2, 500), generator=torch.Generator().manual_seed(0)).float() / 32768
    path = save(Medium(kind="sound", data=data, rate=RATE), tmp_path / "a.b-decoded")
    assert path.name == "a.b-decoded.wav"
    assert torch.equal(read(path, model(2)).data, data)
    loud = save(Medium(kind="sound", data=torch.tensor([[1.0, -1.0, 1.5]]), rate=RATE), tmp_path / "loud")
    assert soundfile.read(loud, dtype="int16")[0].tolist() == [32767, -32768, 32767]


def test_another_rate_is_resampled_and_said_once(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "fine.wav", sine(rate=12000), 12000, subtype="FLOAT")
    with pytest.warns(UserWarning, match="sound of 12000 Hz is resampled to the 8000 Hz of toy") as told:
        found = read(tmp_path / "fine.wav", model())
    assert len(told) == 1
    torch.testing.assert_close(found.data[0, 500:3500], torch.from_numpy(sine()).float()[500:3500], rtol=0, atol=2e-3)
    assert read(tmp_path / "fine.wav", model(rate=None)).rate == 12000


def test_channels_are_matched_or_refused(tmp_path: Path) -> None:
    one, other = sine(), sine(300)
    soundfile.write(tmp_path / "two.wav", np.stack([one, other], 1), RATE, subtype="FLOAT")
    with pytest.warns(UserWarning, match="sound of 2 channels is averaged to mono, as toy has it"):
        found = read(tmp_path / "two.wav", model(1))
    torch.testing.assert_close(found.data[0], torch.from_numpy((one + other) / 2).float())
    soundfile.write(tmp_path / "one.wav", one, RATE)
    with pytest.warns(UserWarning, match="sound of 1 channels is repeated for 2 channels"):
        found = read(tmp_path / "one.wav", model(2))
    assert torch.equal(found.data[0], found.data[1])
    soundfile.write(tmp_path / "three.wav", np.stack([one] * 3, 1), RATE)
    with pytest.raises(ObvertError, match=r"three.wav: need a sound of 1 or 2 channels for toy, got 3"):
        read(tmp_path / "three.wav", model(2))
    assert read(tmp_path / "three.wav", model(None)).data.shape == (3, 4000)


def test_what_is_louder_than_full_scale_is_clipped_and_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", sine(height=1.5), RATE, subtype="FLOAT")
    with pytest.warns(UserWarning, match=r"loud.wav: samples beyond full scale, up to 1.5\d\d?, are clipped"):
        assert read(tmp_path / "loud.wav", model()).data.abs().max() == 1


def test_bad_files_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "nan.wav", np.full(9, np.nan), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "long.wav", sine(), RATE)
    monkeypatch.setattr("obvert.media.sound.MAX_SAMPLES", 3999)
    wrong = {
        "missing.wav": "need a sound file, got nothing there",
        ".": "need a sound file, got a folder",
        "text.wav": "need a sound file .WAV, FLAC, OGG, MP3., got: ",
        "empty.wav": "need a sample or more, all finite, got none",
        "nan.wav": "got some NaN or infinite",
        "long.wav": "need at most 3,999 samples, got 4,000",
    }
    for name, told in wrong.items():
        with pytest.raises(ObvertError, match=told) as caught:
            read(tmp_path / name, model())
        assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ObvertError, match=r"need soundfile to read .*long.wav, got none: pip install soundfile"):
        read(tmp_path / "long.wav", model())


def test_a_spectrogram_is_brightest_at_the_tone() -> None:
    tone = Medium(kind="sound", data=torch.from_numpy(sine(1000, height=1.0)).float()[None], rate=RATE)
    seen = still(tone).data
    assert seen.shape == (3, 257, 445)
    # 1000 of 4000 Hz: bin 64 of 256, counted from below
    assert (seen.sum(0)[:, 100:-100].argmax(0) == 256 - 64).all()
    torch.testing.assert_close(seen[:, 192, 222], torch.tensor([0.987053, 0.991438, 0.749504]), atol=0.02, rtol=0)
    assert still(Medium(kind="sound", data=torch.zeros(2, 1), rate=RATE)).data.isfinite().all()
    assert still(Medium(kind="sound", data=torch.zeros(1, 10**6), rate=RATE)).data.shape[2] <= 480
    left = difference(Medium(kind="sound", data=tone.data * 0.9, rate=RATE), tone)
    torch.testing.assert_close(left.data, -0.8 * tone.data)
