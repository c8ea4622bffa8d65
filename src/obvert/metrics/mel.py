"""Log-mel spectrograms as Whisper takes them, and the sound that comes nearest to one.

    m = (max(l, max l - 8) + 4) / 4,    l = log10 max(W |STFT(x)|^2, 1e-10)

The way back finds what may lie behind the filters W, then phases by the fast Griffin-Lim algorithm. It is a ceiling: a sound
that was found as a log-mel is heard through it, and cannot sound better than the true log-mel does.

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

from obvert.mel import griffin_lim, mel_filters, unheard


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
        level = (self.filters().T.to(power) @ power).clamp(min=1e-10).log10()
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
        size = unheard(10 ** (level - loudest), self.filters(), steps=fit).sqrt()
        size = torch.cat([size, size[..., -1:]], dim=-1)
        samples = self.hop * mel.shape[-1]
        found = griffin_lim(size, hop=self.hop, samples=samples, iterations=steps, momentum=momentum, seed=seed)
        return 10 ** (loudest / 2) * found[:, None]

    def vocoded(self, sound: Tensor) -> Tensor:
        """(B, 1, S) sounds -> themselves as heard from their log-mel, (B, 1, S)."""
        return self.sound(self(self.padded(sound)))[..., : sound.shape[-1]]

    def padded(self, sound: Tensor) -> Tensor:
        """(B, 1, S) with silence up to a multiple of the hop, a window at least."""
        samples = self.hop * math.ceil(max(self.window, sound.shape[-1]) / self.hop)
        return pad(sound, (0, samples - sound.shape[-1]))

    def filters(self) -> Tensor:
        """(window // 2 + 1, M) mel filters."""
        return mel_filters(self.window, self.bins, 0.0, self.rate / 2, self.rate)

    def _transform(self, sound: Tensor) -> Tensor:
        hann = torch.hann_window(self.window, device=sound.device, dtype=sound.dtype)
        return torch.stft(sound, self.window, self.hop, window=hann, return_complex=True)
