"""A log-mel spectrogram that some sound has.

    mean (m - front(back(m)))^2

Most log-mels are those of no sound: what is searched for freely is not what is heard. The spectrogram of the nearest sound is
taken as fixed, so that the gradient, 2 (m - front(back(m))) / N, points to it and nothing is differentiated through the vocoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Objective


@dataclass(frozen=True)
class MelConsistency(Objective):
    """Mean squared distance to the spectrogram of the nearest sound, as the term "consistency"."""

    front: Callable[[Tensor], Tensor]
    """Sounds -> (B, M, T) log-mel spectrograms."""
    back: Callable[[Tensor], Tensor]
    """(B, M, T) -> the sounds that come nearest."""

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Of x (B, M, T)."""
        with torch.no_grad():
            heard = self.front(self.back(x.detach()))
        return {"consistency": (x - heard.to(x)).square().flatten(1).mean(1)}
