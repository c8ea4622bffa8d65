"""Log-mel spectrograms as Whisper takes them, and the sound that comes nearest to one.

    m = (max(l, max l - 8) + 4) / 4,    l = log10 max(W |STFT(x)|^2, 1e-10)

The way back undoes the filters W by non-negative least squares (multiplicative updates), and finds phases by the fast
Griffin-Lim algorithm. It is a ceiling: a sound that was found as a log-mel is heard through it, and cannot sound better than
the true log-mel does.

References:
    | Robust Speech Recognition via Large-Scale Weak Supervision (Radford et al., 2022), https://arxiv.org/abs/2212.04356
    | A fast Griffin-Lim algorithm (Perraudin et al., 2013), https://doi.org/10.1109/WASPAA.2013.6701851
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """Sounds (B, 1, S) <-> log-mel spectrograms (B, M, S // hop)."""

    rate: int = 16_000
    """Samples a second."""
    bins: int = 80
    """Mel bands M, from 0 Hz to half the rate."""
    window: int = 400
    """Samples of a window."""
    hop: int = 160
    """Samples from one window to the next."""

    def __call__(self, sound: Tensor) -> Tensor:
        """The log-mel spectrogram; its gradient is 0 at silence.

        Args:
            sound: (B, 1, S), S a multiple of the hop.

        Returns:
            (B, M, S // hop), about -1 to 1.5.
        """
        power = self._transform(sound[:, 0])[..., :-1].abs().square()
        level = (self.filters().to(power) @ power).clamp(min=1e-10).log10()
        return (torch.maximum(level, level.amax((1, 2), keepdim=True) - 8) + 4) / 4

    @torch.no_grad()
    def sound(self, mel: Tensor, *, steps: int = 60, momentum: float = 0.99, fit: int = 200, seed: int = 0) -> Tensor:
        """A sound whose log-mel spectrogram comes near.

        Args:
            mel: (B, M, T).
            steps: of Griffin-Lim.
            momentum: 0 for the plain algorithm, which needs many times the steps.
            fit: updates by which the filters are undone; at 0 each frequency has the mean of the bands that hear it.
            seed: of the phases that it starts from, the same for every sample.

        Returns:
            (B, 1, hop T), not bounded.
        """
        level = 4 * mel - 4
        loudest = level.amax((1, 2), keepdim=True)  # taken out, lest squares of loud ones overflow
        size = self._magnitude(10 ** (level - loudest), fit)
        size = torch.cat([size, size[..., -1:]], dim=-1)
        phase = 2 * math.pi * torch.rand(size.shape[1:], generator=torch.Generator().manual_seed(seed))
        turn = torch.polar(torch.ones_like(phase), phase).to(size.device).expand(size.shape).to(torch.complex64)
        before = torch.zeros_like(turn)
        length = self.hop * mel.shape[-1]
        for _ in range(steps):
            now = self._transform(self._inverse(size * turn, length))
            moved, before = now + momentum * (now - before), now
            turn = moved / moved.abs().clamp(min=1e-16)
        return 10 ** (loudest / 2) * self._inverse(size * turn, length)[:, None]

    def vocoded(self, sound: Tensor) -> Tensor:
        """(B, 1, S) sounds -> themselves as heard from their log-mel, (B, 1, S)."""
        return self.sound(self(self.padded(sound)))[..., : sound.shape[-1]]

    def padded(self, sound: Tensor) -> Tensor:
        """(B, 1, S) with silence up to a multiple of the hop, a window at least."""
        samples = self.hop * math.ceil(max(self.window, sound.shape[-1]) / self.hop)
        return pad(sound, (0, samples - sound.shape[-1]))

    def filters(self) -> Tensor:
        """(M, window // 2 + 1) triangles of equal area on Slaney's mel scale: linear to 1 kHz, logarithmic from there."""
        top = _to_mel(torch.tensor(self.rate / 2, dtype=torch.float64))
        edges = _to_hertz(torch.linspace(0, float(top), self.bins + 2, dtype=torch.float64))
        heard = torch.linspace(0, self.rate / 2, self.window // 2 + 1, dtype=torch.float64)
        below, centre, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        rise, fall = (heard - below) / (centre - below), (above - heard) / (above - centre)
        return (torch.minimum(rise, fall).clamp(min=0) * 2 / (above - below)).float()

    def _magnitude(self, power: Tensor, steps: int) -> Tensor:
        """(B, M, T) mel power -> (B, F, T) magnitudes that have it, non-negative."""
        filters = self.filters().to(power)
        wanted, gram = filters.T @ power, filters.T @ filters
        found = wanted / gram.sum(1, keepdim=True).clamp(min=1e-8)
        for _ in range(steps):
            found = found * wanted / (gram @ found).clamp(min=1e-30)
        return found.sqrt()

    def _transform(self, sound: Tensor) -> Tensor:
        return torch.stft(sound, self.window, self.hop, window=self._hann(sound), return_complex=True)

    def _inverse(self, coefficients: Tensor, length: int) -> Tensor:
        hann = self._hann(coefficients.real)
        return torch.istft(coefficients, self.window, self.hop, window=hann, length=length)

    def _hann(self, like: Tensor) -> Tensor:
        return torch.hann_window(self.window, device=like.device, dtype=like.dtype)


def _to_mel(hertz: Tensor) -> Tensor:
    return torch.where(hertz < 1000, 3 * hertz / 200, 15 + 27 * (hertz.clamp(min=1) / 1000).log() / math.log(6.4))


def _to_hertz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, 200 * mel / 3, 1000 * torch.exp(math.log(6.4) / 27 * (mel - 15)))
