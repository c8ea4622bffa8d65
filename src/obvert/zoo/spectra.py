"""What the synthesiser learns from: mel spectrograms as SpeechT5 has them, pitch, durations, and a loss between sounds."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.mel import mel_filters
from obvert.zoo.espeak import RATE

MELS, HOP, N_FFT, FLOOR = 80, 256, 1024, 1e-4
RESOLUTIONS = (256, 512, 1024)
"""Windows of the vocoder's loss, in samples; a quarter of each is its hop."""


@cache
def _filters() -> Tensor:
    return mel_filters(N_FFT, MELS, 80, 7600, RATE).float()


def magnitudes(sounds: Tensor, size: int, hop: int) -> Tensor:
    """(B, S) sounds -> (B, size / 2 + 1, T) magnitudes of their spectra, kept off zero for the gradient's sake."""
    window = torch.hann_window(size)
    spectrum = torch.view_as_real(torch.stft(sounds, size, hop, window=window, return_complex=True))
    return spectrum.square().sum(-1).clamp(min=1e-10).sqrt()


def log_mel(sounds: Tensor) -> Tensor:
    """(B, S) sounds in [-1, 1] at 16 kHz -> (B, 1 + S / HOP, MELS), log10 of magnitudes."""
    return (magnitudes(sounds, N_FFT, HOP).transpose(1, 2) @ _filters()).clamp(min=FLOOR).log10()


def pitch(sound: Tensor) -> Tensor:
    """Pitch by autocorrelation.

    Args:
        sound: (S,).

    Returns:
        (1 + S / HOP,) octaves above 120 Hz of each frame, NaN where it is not voiced.
    """
    padded = pad(sound[None], (N_FFT // 2, N_FFT // 2), mode="reflect")[0]
    frames = padded.unfold(0, N_FFT, HOP) * torch.hann_window(N_FFT)
    power = torch.fft.rfft(frames, 2 * N_FFT).abs().square()
    correlation = torch.fft.irfft(power)
    first, last = RATE // 400, RATE // 60
    best, lag = correlation[:, first:last].max(1)
    octaves = (RATE / 120 / (lag + first)).log2()
    return octaves.masked_fill(best < 0.3 * correlation[:, 0].clamp(min=1e-3), float("nan"))


def durations(text: str, starts: np.ndarray, frames: int) -> Tensor:
    """Frames of each letter.

    Args:
        text: the phrase.
        starts: sample at which each word starts; -1 where it is spoken in one with the word before it.
        frames: of the phrase.

    Returns:
        (L,) int64, at least 0, `frames` in all: the letters of a word, and the space behind it, share its frames evenly.
    """
    edges, letter = [], 0
    for word, start in zip(text.split(), starts, strict=False):
        if start >= 0 or not letter:
            edges.append((letter, min(round(max(int(start), 0) / HOP), frames)))
        letter += len(word) + 1
    edges[0] = (0, 0)
    edges.append((len(text), frames))
    letters, at = (np.array(column) for column in zip(*edges, strict=True))
    marks = np.interp(np.arange(len(text) + 1), letters, np.maximum.accumulate(at)).round()
    return torch.from_numpy(np.diff(marks)).long()


def means(frames: Tensor, lasting: Tensor) -> Tensor:
    """(T,) values of frames, NaN where there is none -> (L,) their mean over each letter's frames, 0 where there is none."""
    letters = torch.arange(len(lasting)).repeat_interleave(lasting)
    there = frames.isfinite().float()
    zeros = torch.zeros(len(lasting))
    total = zeros.index_add(0, letters, frames.nan_to_num(0.0))
    return total / zeros.index_add(0, letters, there).clamp(min=1)


def stft_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """How far sounds (B, S) are from those wanted, by their spectra at several resolutions and as mel spectrograms."""
    loss = (log_mel(made) - log_mel(wanted)).abs().mean()
    for size in RESOLUTIONS:
        a, b = magnitudes(made, size, size // 4), magnitudes(wanted, size, size // 4)
        loss = loss + (a.clamp(min=1e-3).log() - b.clamp(min=1e-3).log()).abs().mean() + (a - b).norm() / b.norm()
    return loss
