"""Sound: what soundfile reads in, brought to a model's channels and rate; 16-bit WAV out; spectrograms."""

from __future__ import annotations

import math
import warnings
import wave
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.media import Medium, Takes

SUFFIX = ".wav"
SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus"})
MAX_SAMPLES = 256_000_000
"""Of all channels together, before and after resampling: 1 GB."""
WINDOW, FLOOR = 512, -90.0
"""Samples of a spectrogram's window; decibels below full scale that are drawn black."""
WIDTH = 480
"""Pixels of a spectrogram, at most."""


def read(path: Path, model: Takes) -> Medium:
    """Read a sound. What is changed about it is said in a warning.

    Args:
        path: what soundfile reads: WAV, FLAC, OGG, MP3, AIFF...
        model: whose channels and rate it is brought to: mono is repeated, channels are averaged to mono, and another rate
            is resampled by a polyphase filter.

    Returns:
        (C, S) in [-1, 1] and samples a second.

    Raises:
        ObvertError: for a missing, broken, empty or too long file, numbers that are not finite, or channels that do not fit.
    """
    if not path.is_file():
        raise ObvertError(f"{path}: need a sound file, got {'a folder' if path.is_dir() else 'nothing there'}")
    samples, rate = _samples(path)
    channels = model.channels or len(samples)
    if channels != len(samples):
        if 1 not in (channels, len(samples)):
            raise ObvertError(f"{path}: need a sound of 1 or {channels} channels for {model.card.name}, got {len(samples)}")
        how = "averaged to mono" if channels == 1 else f"repeated for {channels} channels"
        warnings.warn(f"sound of {len(samples)} channels is {how}, as {model.card.name} has it", stacklevel=4)
        samples = samples.mean(0, keepdims=True) if channels == 1 else samples.repeat(channels, 0)
    if model.rate and model.rate != rate:
        samples = _resampled(samples, rate, model.rate, path)
        warnings.warn(f"sound of {rate} Hz is resampled to the {model.rate} Hz of {model.card.name}", stacklevel=4)
        rate = model.rate
    if (peak := float(np.abs(samples).max())) > 1:
        warnings.warn(f"{path}: samples beyond full scale, up to {peak:.3f}, are clipped", stacklevel=4)
    return Medium(kind="sound", data=torch.from_numpy(samples.clip(-1, 1).astype(np.float32)), rate=rate)


def _samples(path: Path) -> tuple[np.ndarray, int]:
    """(C, S) samples of a file, and their rate."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package is there, the library it binds is not
        raise ObvertError(f"need soundfile to read {path}, got none: pip install soundfile") from error
    try:
        with soundfile.SoundFile(path) as file:
            _short(file.frames * file.channels, path)
            found, rate = file.read(dtype="float32", always_2d=True), int(file.samplerate)
    except soundfile.LibsndfileError as error:
        raise ObvertError(f"{path}: need a sound file (WAV, FLAC, OGG, MP3), got: {error.error_string}") from error
    if not found.size or not np.isfinite(found).all():
        raise ObvertError(f"{path}: need a sample or more, all finite, got {'some NaN or infinite' if found.size else 'none'}")
    return found.T, rate


def _short(samples: int, path: Path) -> None:
    if samples > MAX_SAMPLES:
        raise ObvertError(f"{path}: need at most {MAX_SAMPLES:,} samples, got {samples:,}; cut it")


def _resampled(samples: np.ndarray, rate: int, wanted: int, path: Path) -> np.ndarray:
    from scipy.signal import resample_poly

    _short(samples.size * wanted // rate, path)
    common = math.gcd(rate, wanted)
    found: np.ndarray = resample_poly(samples, wanted // common, rate // common, axis=1)
    return found


def encode(medium: Medium) -> bytes:
    """A 16-bit WAV file."""
    page = BytesIO()
    with wave.open(page, "wb") as file:
        file.setnchannels(len(medium.data))
        file.setsampwidth(2)
        file.setframerate(round(medium.rate or 44100))
        whole = (medium.data.detach().cpu() * 32768).round().clamp(-32768, 32767)
        file.writeframes(whole.T.contiguous().numpy().astype("<i2").tobytes())
    return page.getvalue()


def still(medium: Medium) -> Tensor:
    """A spectrogram of all channels' mean.

    Args:
        medium: a sound.

    Returns:
        (3, 257, W): time to the right, 0 Hz to half the rate upwards, dark to bright from -90 dB to a sine of full scale.
    """
    from matplotlib import colormaps

    mono, window = medium.data.detach().cpu().float().mean(0), torch.hann_window(WINDOW)
    hop = min(WINDOW // 4, math.ceil(len(mono) / WIDTH))
    frames = torch.nn.functional.pad(mono, (WINDOW // 2, WINDOW // 2)).unfold(0, WINDOW, hop)
    parts = frames.split(math.ceil(len(frames) / WIDTH))
    power = torch.stack([torch.fft.rfft(some * window).abs().square().mean(0) for some in parts], dim=1)
    level = 1 - (10 * (power * (2 / window.sum()) ** 2).clamp(min=1e-18).log10()).clamp(FLOOR, 0) / FLOOR
    colours = colormaps["magma"](level.flip(0).numpy())[..., :3]
    return torch.from_numpy(colours).permute(2, 0, 1).float()
