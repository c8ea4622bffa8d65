"""Log-mel spectrograms as synthesisers are trained on them, differentiable.

    x -> reflected at its ends -> STFT (Hann) -> |.| -> mel -> log max(., floor)

SpeechT5's equals transformers' SpeechT5FeatureExtractor, whose last frame, which sees past the end, is left out: S samples
are S // hop frames.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.core import ObvertError
from obvert.mel import mel_filters
from obvert.models.parts.pipeline import read_json

DEFAULTS = {
    "sampling_rate": 16000,
    "num_mel_bins": 80,
    "hop_length": 16,
    "win_length": 64,
    "win_function": "hann_window",
    "fmin": 80,
    "fmax": 7600,
    "mel_floor": 1e-10,
}
"""Of SpeechT5FeatureExtractor; hop and window in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Mel:
    """Sounds (B, S) -> log-mel spectrograms (B, S // hop, M)."""

    filters: Tensor
    """(n_fft / 2 + 1, M) of the mel bands, fp64."""
    rate: int
    """Samples a second."""
    window: int
    """Samples of a frame."""
    hop: int
    """Samples between frames."""
    around: int
    """Samples that are reflected at each end."""
    floor: float
    """Magnitude of a band that counts as silence."""
    base: float = 10.0
    """Of the logarithm."""
    least: float = 0.0
    """Added to powers, before they become magnitudes."""

    @classmethod
    def speecht5(cls, config: Mapping[str, Any]) -> Mel:
        """The spectrogram of a SpeechT5FeatureExtractor.

        Args:
            config: content of its `preprocessor_config.json`.

        Returns:
            The spectrogram.

        Raises:
            ObvertError: for settings that it does not have.
        """
        get = {name: config.get(name, value) for name, value in DEFAULTS.items()}
        numbers = [get[name] for name in DEFAULTS if name != "win_function"]
        if get["win_function"] != "hann_window" or not all(isinstance(v, int | float) and v >= 0 for v in numbers):
            raise ObvertError(f"need numbers and a hann_window for a spectrogram, got {get}")
        window, hop = (get[name] * get["sampling_rate"] // 1000 for name in ("win_length", "hop_length"))
        if min(window, hop, get["num_mel_bins"]) < 1 or not get["fmin"] < get["fmax"] <= get["sampling_rate"] / 2:
            raise ObvertError(f"need a window, a hop, bands and fmin < fmax <= half the rate for a spectrogram, got {get}")
        size = 2 ** math.ceil(math.log2(window))
        filters = mel_filters(size, get["num_mel_bins"], get["fmin"], get["fmax"], get["sampling_rate"])
        return cls(filters=filters, rate=get["sampling_rate"], window=window, hop=hop, around=size // 2, floor=get["mel_floor"])

    @classmethod
    def read(cls, folder: Path, bands: int, hop: int) -> Mel:
        """The spectrogram that a folder tells in `preprocessor_config.json`.

        Args:
            folder: of the model.
            bands: that its acoustic part gives.
            hop: samples that its vocoder makes of a frame.

        Returns:
            The spectrogram.

        Raises:
            ObvertError: where it is not told, or is another.
        """
        mel = cls.speecht5(read_json(folder / "preprocessor_config.json"))
        got = (mel.filters.shape[1], mel.hop)
        if got != (bands, hop):
            raise ObvertError(f"need a spectrogram of {bands} bands every {hop} samples in {folder}, got {got[0]} every {got[1]}")
        return mel

    @classmethod
    def vits(cls, rate: int, size: int, hop: int) -> Mel:
        """The spectrogram that VITS is trained with.

        Args:
            rate: samples a second.
            size: samples of a frame.
            hop: samples between frames.

        Returns:
            The spectrogram: 80 bands up to half the rate, natural logarithms.
        """
        around, filters = max(0, size - hop) // 2, mel_filters(size, 80, 0, rate / 2, rate)
        return cls(filters=filters, rate=rate, window=size, hop=hop, around=around, floor=1e-5, base=math.e, least=1e-6)

    def __call__(self, sounds: Tensor) -> Tensor:
        """The spectrogram; ObvertError for sounds that are too short to be reflected."""
        if sounds.shape[-1] <= self.around:
            raise ObvertError(f"need sounds of more than {self.around} samples, got {sounds.shape[-1]}")
        x = pad(sounds[:, None], (self.around, self.around), mode="reflect")[:, 0]
        hann = torch.hann_window(self.window, dtype=x.dtype, device=x.device)
        size = 2 * (len(self.filters) - 1)
        seen = torch.stft(x, size, self.hop, self.window, hann, center=False, return_complex=True)
        seen = seen[..., : sounds.shape[-1] // self.hop]
        magnitude = (seen.abs().square() + self.least).sqrt() if self.least else seen.abs()
        return (self.filters.T.to(x) @ magnitude).clamp(min=self.floor).log().transpose(1, 2) / math.log(self.base)
