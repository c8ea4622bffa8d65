"""Griffin-Lim, fast: the sound whose spectrogram has nearly the wanted magnitudes.

    c_{k+1} = STFT(ISTFT(magnitude * sign(t_k))),    t_{k+1} = c_{k+1} + m (c_{k+1} - c_k)

where sign(t) = t / |t| is the phase alone, and t_0 a seeded draw of phases, the same for every sample. Magnitudes that are
those of no sound are only come near to.

References:
    | Signal Estimation from Modified Short-Time Fourier Transform (Griffin and Lim, 1984)
    | A Fast Griffin-Lim Algorithm (Perraudin, Balazs and Soendergaard, 2013)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


@torch.no_grad()
def griffin_lim(magnitude: Tensor, *, hop: int, samples: int, iterations: int = 32, momentum: float = 0.99) -> Tensor:
    """A sound from magnitudes.

    Args:
        magnitude: (B, n_fft / 2 + 1, T), of frames centred every `hop` samples, the first at sample 0, Hann window.
        hop: samples between frames.
        samples: S of the sound, at most hop (T - 1) + n_fft / 2.
        iterations: how often phases are made those of a sound.
        momentum: how far each iteration overshoots, at least 0.

    Returns:
        (B, S) sound.
    """
    n_fft = 2 * (magnitude.shape[1] - 1)
    window = torch.hann_window(n_fft, dtype=magnitude.dtype, device=magnitude.device)
    draw = torch.rand(magnitude.shape[1:], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
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
