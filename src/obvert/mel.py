"""Mel filters, and the way back from what they hear to a sound.

    power_mel = W |STFT(x)|^2
    |c|^2     = what is not negative and least far from power_mel behind W, by multiplicative updates
    c_{k+1}   = STFT(ISTFT(|c| sign(t_k))),    t_{k+1} = c_{k+1} + m (c_{k+1} - c_k)

W are triangles of equal area on Slaney's mel scale, linear up to 1 kHz and logarithmic from there. sign(t) = t / |t| is the
phase alone, and t_0 a seeded draw of phases, the same for every sample: Griffin and Lim's algorithm, with momentum m.
Magnitudes that are those of no sound are only come near to.

References:
    | Auditory Toolbox (Slaney, 1998), for the mel scale
    | Algorithms for Non-negative Matrix Factorization (Lee and Seung, 2000), for the updates
    | Signal Estimation from Modified Short-Time Fourier Transform (Griffin and Lim, 1984)
    | A Fast Griffin-Lim Algorithm (Perraudin, Balazs and Soendergaard, 2013), https://doi.org/10.1109/WASPAA.2013.6701851
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def mel_filters(size: int, bands: int, low: float, high: float, rate: int) -> Tensor:
    """Mel filters.

    Args:
        size: samples of a window, even.
        bands: how many.
        low: Hertz at which the first begins.
        high: Hertz at which the last ends.
        rate: samples a second.

    Returns:
        (size / 2 + 1, bands) float64.
    """
    ends = _to_mel(torch.tensor([low, high], dtype=torch.float64))
    edges = _to_hertz(torch.linspace(float(ends[0]), float(ends[1]), bands + 2, dtype=torch.float64))
    heard = torch.linspace(0, rate // 2, size // 2 + 1, dtype=torch.float64)[:, None]
    below, centre, above = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (heard - below) / (centre - below), (above - heard) / (above - centre)
    return torch.minimum(rise, fall).clamp(min=0) * 2 / (above - below)


@torch.no_grad()
def unheard(power: Tensor, filters: Tensor, *, steps: int = 200) -> Tensor:
    """What may lie behind the filters.

    Args:
        power: (B, M, T) that the filters gave, not negative.
        filters: (F, M).
        steps: of multiplicative updates; at 0 each frequency has the mean of the bands that hear it.

    Returns:
        (B, F, T) power, not negative, that the filters hear nearly so.
    """
    filters = filters.to(power)
    wanted, gram = filters @ power, filters @ filters.T
    found = wanted / gram.sum(1, keepdim=True).clamp(min=1e-8)
    for _ in range(steps):
        found = found * wanted / (gram @ found).clamp(min=1e-30)
    return found


@torch.no_grad()
def griffin_lim(
    magnitude: Tensor, *, hop: int, samples: int, iterations: int = 32, momentum: float = 0.99, seed: int = 0
) -> Tensor:
    """A sound from magnitudes.

    Args:
        magnitude: (B, n_fft / 2 + 1, T), of frames centred every `hop` samples, the first at sample 0, Hann window.
        hop: samples between frames.
        samples: S of the sound, at most hop (T - 1) + n_fft / 2.
        iterations: how often phases are made those of a sound.
        momentum: how far each iteration overshoots, at least 0; 0 is the plain algorithm, which needs many times more.
        seed: of the phases that it starts from.

    Returns:
        (B, S) sound.
    """
    n_fft = 2 * (magnitude.shape[1] - 1)
    window = torch.hann_window(n_fft, dtype=magnitude.dtype, device=magnitude.device)
    draw = torch.rand(magnitude.shape[1:], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    turn = torch.polar(torch.ones_like(draw), 2 * math.pi * draw)
    turn = turn.to(magnitude.device, torch.promote_types(magnitude.dtype, torch.complex64))

    def sound(phase: Tensor) -> Tensor:
        return torch.istft(magnitude * phase, n_fft, hop, window=window, length=samples)

    phase, last = turn.expand(magnitude.shape), torch.zeros_like(magnitude)
    for _ in range(iterations):
        seen = torch.stft(sound(phase), n_fft, hop, window=window, return_complex=True)
        ahead = seen + momentum * (seen - last)
        last, phase = seen, torch.sgn(ahead)
    return sound(phase)


def _to_mel(hertz: Tensor) -> Tensor:
    return torch.where(hertz < 1000, 3 * hertz / 200, 15 + 27 * (hertz.clamp(min=1) / 1000).log() / math.log(6.4))


def _to_hertz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, 200 * mel / 3, 1000 * torch.exp(math.log(6.4) / 27 * (mel - 15)))
