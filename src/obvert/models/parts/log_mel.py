"""Whisper's log-mel spectrogram, equal to transformers' WhisperFeatureExtractor, and differentiable.

    x -> STFT (Hann) -> |.|^2 without the last frame -> mel -> log10 max(., 1e-10) -> max(., largest - 8) -> (. + 4) / 4

The gradient is 0 at silence and wherever the floor, 8 below the largest, is reached: a search starts from a little noise.
Back, the powers behind the mel filters are found, and by Griffin-Lim a sound.

References:
    | Robust Speech Recognition via Large-Scale Weak Supervision (Radford et al., 2022)
    | https://arxiv.org/abs/2212.04356
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.core import ObvertError
from obvert.mel import griffin_lim, mel_filters, unheard

LEAST, RANGE = 1e-10, 8.0
"""Power that counts as silence; powers of ten below the loudest that are told apart."""
HIGHEST = 8000.0
"""Hertz, whatever the rate."""
DEFAULTS = {"feature_size": 80, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """Sounds to log-mel spectrograms of one length, and back."""

    filters: Tensor
    """(n_fft / 2 + 1, M) of the mel bands, fp64."""
    rate: int
    """Samples a second."""
    hop: int
    """Samples between frames."""
    samples: int
    """Of the whole window; shorter sounds are padded with silence."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LogMel:
        """Read the content of a `preprocessor_config.json`; what it leaves out is the default of Whisper.

        Args:
            config: as transformers writes it, or with it under "feature_extractor".

        Returns:
            The spectrogram.

        Raises:
            ValueError: a setting that this spectrogram does not have.
        """
        config = config.get("feature_extractor", config)
        kind = config.get("feature_extractor_type", "WhisperFeatureExtractor")
        if kind != "WhisperFeatureExtractor" or config.get("dither") or config.get("padding_value"):
            told = f"dither={config.get('dither', 0.0)}, padding_value={config.get('padding_value', 0.0)}"
            raise ValueError(f"need a WhisperFeatureExtractor without dither that pads with 0, got {kind} with {told}")
        get = {**DEFAULTS, **{key: config[key] for key in DEFAULTS if config.get(key) is not None}}
        if any(not isinstance(value, int) or value < 1 for value in get.values()):
            raise ValueError(f"need whole numbers of at least 1, got {get}")
        if get["n_fft"] % 2 or not get["hop_length"] <= get["n_fft"] // 2 < get["chunk_length"] * get["sampling_rate"]:
            raise ValueError(f"need an even n_fft of at least 2 hop_length that the sound is longer than, got {get}")
        filters = mel_filters(get["n_fft"], get["feature_size"], 0.0, HIGHEST, get["sampling_rate"])
        samples = get["chunk_length"] * get["sampling_rate"]
        return cls(filters=filters, rate=get["sampling_rate"], hop=get["hop_length"], samples=samples)

    @property
    def shape(self) -> tuple[int, int]:
        """(M, T) of the spectrograms."""
        return self.filters.shape[1], self.samples // self.hop

    @property
    def n_fft(self) -> int:
        """Samples of the window that a frame sees."""
        return 2 * (len(self.filters) - 1)

    def __call__(self, sounds: Sequence[Tensor]) -> Tensor:
        """Log-mel spectrograms of sounds, differentiably.

        Args:
            sounds: B tensors (1, s), floats in [-1, 1], of any length up to the window.

        Returns:
            (B, M, T) in the precision of the sounds.

        Raises:
            ObvertError: no sounds, one of another shape or type, or one that is too long.
        """
        for i, sound in enumerate(sounds):
            if sound.ndim != 2 or len(sound) != 1 or not sound.numel() or not sound.is_floating_point():
                raise ObvertError(f"need sounds (1, samples) of floats, got {tuple(sound.shape)} {sound.dtype} at {i}")
            if sound.shape[1] > self.samples:
                most, got = self.samples / self.rate, sound.shape[1] / self.rate
                raise ObvertError(f"need at most {most:g} s of sound at {self.rate} Hz, got {got:.1f} s at {i}")
        if not len(sounds):
            raise ObvertError("need at least one sound, got none")
        x = torch.stack([pad(sound[0], (0, self.samples - sound.shape[1])) for sound in sounds])
        window = torch.hann_window(self.n_fft, dtype=x.dtype, device=x.device)
        seen = torch.stft(x, self.n_fft, self.hop, window=window, return_complex=True)[..., :-1]
        power = (seen.abs() ** 2).contiguous()
        mel = (self.filters.T.to(x) @ power).clamp(min=LEAST).log10()
        return (torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - RANGE) + 4.0) / 4.0

    @torch.no_grad()
    def undo(self, features: Tensor) -> Tensor:
        """Sounds whose spectrograms are near.

        Args:
            features: (B, M, T).

        Returns:
            (B, 1, S) in [-1, 1]; those that would be louder are turned down as a whole.
        """
        loudest = 2 * math.log10(self.n_fft / 2)  # power of a tone at full scale; no band of a sound has more
        power = unheard(10 ** (4.0 * features - 4.0).clamp(max=loudest), self.filters)
        magnitude = pad(power.sqrt(), (0, 1), mode="replicate")  # for the frame that was dropped
        sounds = griffin_lim(magnitude, hop=self.hop, samples=self.samples)
        return (sounds / sounds.abs().amax(1, keepdim=True).clamp(min=1))[:, None]
