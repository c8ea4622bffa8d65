"""How near a found sound comes to a recording: perceived quality, intelligibility, distance of log-mel spectrograms.

PESQ (wide band, ITU-T P.862.2) predicts a mean opinion from 1.0 to 4.64. Noise has about 1.03, and a perfect log-mel heard
through a plain vocoder 1.7, so that a value tells nothing without those of the start and of the best that could be heard: see
`bounds_of_quality`. STOI correlates short stretches of third-octave envelopes, 1 being the same; noise has about .35. Both need
the extra `audio`, and are NaN, with a warning that says why, where they are not defined: for silence and for sounds that are
too short.

References:
    | Perceptual evaluation of speech quality (Rix et al., 2001), https://doi.org/10.1109/ICASSP.2001.941023
    | An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech (Taal et al., 2011)
    | https://doi.org/10.1109/TASL.2011.2114881
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.metrics.mel import LogMel

RATE = 16_000
"""Samples a second at which all are compared."""
SHORTEST = RATE // 4
"""Samples that PESQ needs."""


def pesq(reference: Tensor, found: Tensor, rate: int) -> Tensor:
    """Perceived quality of speech, wide band.

    Args:
        reference: (B, 1, S) recordings.
        found: (B, 1, S) what is judged.
        rate: samples a second; other than 16,000 are resampled.

    Returns:
        (B,) float64 in [1, 4.65], higher is better; NaN for silence, or less than a quarter of a second.
    """
    package = _package("pesq", "which is compiled and needs a C compiler")
    errors = (package.PesqError, ValueError)
    return _judged("PESQ", partial(package.pesq, RATE), errors, reference, found, rate, SHORTEST)


def stoi(reference: Tensor, found: Tensor, rate: int) -> Tensor:
    """Short-time objective intelligibility of speech.

    Args:
        reference: (B, 1, S) recordings.
        found: (B, 1, S) what is judged.
        rate: samples a second; other than 16,000 are resampled.

    Returns:
        (B,) float64, at most 1, higher is better; NaN for silence, or less than about .4 seconds that are not silent.
    """
    package = _package("pystoi", "which is plain Python")

    def judge(one: np.ndarray, other: np.ndarray) -> float:
        return float(package.stoi(one, other, RATE))

    # Where too few frames are left, pystoi warns and gives 1e-5, or fails to stack none.
    return _judged("STOI", judge, (RuntimeWarning, ValueError), reference, found, rate, 1)


def log_mel_distance(reference: Tensor, found: Tensor, rate: int) -> Tensor:
    """Mean absolute difference of log-mel spectrograms (80 bands, windows of 25 ms), each down to 80 dB below its loudest.

    Args:
        reference: (B, 1, S).
        found: (B, 1, S).
        rate: samples a second.

    Returns:
        (B,) float64 decibels, lower is nearer.
    """
    one, other = (torch.from_numpy(x).float()[:, None] for x in _heard(reference, found, rate))
    front = LogMel()
    mels = [front(front.padded(x)).double() for x in (one, other)]
    return 40 * (mels[0] - mels[1]).abs().mean((1, 2))


def sound_quality(reference: Tensor, found: Tensor, rate: int) -> dict[str, Tensor]:
    """All three, as {"pesq", "stoi", "log_mel_db"}: (B,) each; arguments as for `pesq`."""
    return {
        "pesq": pesq(reference, found, rate),
        "stoi": stoi(reference, found, rate),
        "log_mel_db": log_mel_distance(reference, found, rate),
    }


def bounds_of_quality(
    reference: Tensor, rate: int, *, vocoder: Callable[[Tensor], Tensor] | None = None, seed: int = 0
) -> dict[str, dict[str, Tensor]]:
    """What a result is to be read against: noise as loud as the recording, and the recording through a vocoder.

    Args:
        reference: (B, 1, S) recordings.
        rate: samples a second.
        vocoder: (B, 1, S) recordings at 16,000 Hz -> as they are heard at best, e.g. from their true log-mel; by
            `LogMel.vocoded` where none is given.
        seed: of the noise, the same for every sample.

    Returns:
        {"floor", "ceiling"}, each as of `sound_quality`.
    """
    sounds = torch.from_numpy(_heard(reference, reference, rate)[0]).float()[:, None]
    noise = torch.randn(sounds.shape[1:], generator=torch.Generator().manual_seed(seed))
    floor, ceiling = noise * sounds.square().mean(-1, keepdim=True).sqrt(), (vocoder or LogMel().vocoded)(sounds)
    return {"floor": sound_quality(sounds, floor, RATE), "ceiling": sound_quality(sounds, ceiling, RATE)}


@torch.no_grad()
def mel_consistency(mel: Tensor, front: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor]) -> Tensor:
    """How far a log-mel spectrogram lies from those that a sound can have: mean |front(back(m)) - m|.

    Args:
        mel: (B, M, T).
        front: sounds -> spectrograms.
        back: spectrograms -> the sounds that come nearest.

    Returns:
        (B,) float64 in the spectrogram's own unit; about .01 for those of recordings.
    """
    return (front(back(mel)).double() - mel.double()).abs().mean((1, 2))


def _package(name: str, why: str) -> ModuleType:
    try:
        return __import__(name)
    except ImportError as error:
        raise ObvertError(f"need the package {name}, {why}, got none: pip install 'obvert[audio]'") from error


def _heard(reference: Tensor, found: Tensor, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Both as (B, S) float64 at `RATE`."""
    from scipy.signal import resample_poly

    if reference.shape != found.shape or reference.ndim != 3 or reference.shape[1] != 1 or rate < 1 or not reference.shape[2]:
        got = f"{tuple(reference.shape)} and {tuple(found.shape)} at {rate} Hz"
        raise ValueError(f"need two batches of sounds (B, 1, S) of one shape, and their rate, got {got}")
    sounds = [x.detach().cpu().double()[:, 0].numpy() for x in (reference, found)]
    if not all(np.isfinite(x).all() for x in sounds):
        raise ValueError("need finite sounds, got some with NaN or infinity")
    common = math.gcd(rate, RATE)
    one, other = (x if rate == RATE else resample_poly(x, RATE // common, rate // common, axis=1) for x in sounds)
    return one, other


def _judged(
    name: str,
    judge: Callable[[np.ndarray, np.ndarray], float],
    errors: tuple[type[Exception], ...],
    reference: Tensor,
    found: Tensor,
    rate: int,
    shortest: int,
) -> Tensor:
    """(B,) what a package says, NaN where it says nothing, and one warning that tells why."""
    values, reasons = [], []
    for row, (one, other) in enumerate(zip(*_heard(reference, found, rate), strict=True)):
        silent = [what for what, x in (("reference", one), ("found sound", other)) if not np.abs(x).max() > 0]
        try:
            if silent:
                raise ValueError(f"the {silent[0]} is silent")
            if len(one) < shortest:
                raise ValueError(f"{len(one) / RATE:.2f} s are too short")
            with warnings.catch_warnings(action="error", category=RuntimeWarning):
                values.append(float(judge(one, other)))
        except errors as error:
            values.append(math.nan)
            said = error.args[0] if error.args else type(error).__name__
            reasons.append(f"sample {row}, {said.decode() if isinstance(said, bytes) else said}")
    if reasons:
        warnings.warn(f"{name} is not defined for {len(reasons)} of {len(values)}: {reasons[0]}", stacklevel=3)
    return torch.tensor(values, dtype=torch.float64)
