"""A sound by its short-time Fourier transform, scaled so that a step moves what is low more than what is high.

    x = tanh(istft(scale theta / max(f, knee)^decay)),    theta ~ N(0, 1), complex

Speech falls by about 6 decibels an octave (decay 1) or more above some hundred Hz; noise does not fall at all. Each
coefficient is heard for a window only, so that an optimiser can time what it writes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, Parametrisation
from obvert.parametrisations.waveform import squashed, waveform


@dataclass(frozen=True, kw_only=True)
class STFT(Parametrisation):
    """Complex coefficients of a short-time Fourier transform, real and imaginary parts last."""

    window: int = 512
    """Samples of a window (Hann's); the next begins a quarter of it later."""
    decay: float = 1.0
    """Power of the frequency by which amplitudes fall; 0 for white noise."""
    knee: int = 8
    """Bin of the transform up to which amplitudes are even: 8 of a window of 512 are 250 Hz at 16,000 samples a second."""
    scale: float = 0.01
    """Deviation of the sound at the start."""

    def __post_init__(self) -> None:
        if self.window < 8 or self.window % 4 or not (self.decay >= 0 and self.knee >= 1 and self.scale > 0):
            raise ValueError(f"need a window of 8 or more, in fours, decay >= 0, knee >= 1 and scale > 0, got {self}")

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        frames = 1 + -(-waveform(domain, "stft") // (self.window // 4))
        draw = torch.randn(self.window // 2 + 1, frames, 2, generator=torch.Generator().manual_seed(seed))
        return draw.expand(count, *draw.shape).clone()

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        samples, hann = waveform(domain, "stft"), torch.hann_window(self.window, device=theta.device)
        amplitude = torch.arange(self.window // 2 + 1, device=theta.device).clamp(min=self.knee).float() ** -self.decay
        amplitude[0] = amplitude[-1] = 0
        # Four windows overlap, their squares sum to 1.5: the variance of a sample is that of one window's over 1.5.
        deviation = (4 * amplitude.square().sum() / 1.5).sqrt() / self.window
        coefficients = torch.view_as_complex(theta.contiguous()) * (self.scale / deviation * amplitude)[:, None]
        x = torch.istft(coefficients, self.window, self.window // 4, window=hann, length=samples)
        return squashed(x[:, None], domain)
