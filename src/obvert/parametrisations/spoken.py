"""What a synthesiser says: what is found is speech, whatever it says.

    x = speak(start, e_1 .. e_n, end),    e_i = sum_v softmax(theta_i)_v vocabulary_v,    theta ~ N(0, scale^2)

Each place holds a mixture of letters or phonemes. A strong prior, as latents of an autoencoder are for pictures: a sound that
is speech shows then what the synthesiser knows as well as what the inverted model does. Report it beside a run without.

References:
    | Synthesizing the preferred inputs for neurons in neural networks via deep generator networks (Nguyen et al., 2016)
    | https://arxiv.org/abs/1605.09304
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import Domain, ObvertError, Parametrisation, Writer
from obvert.parametrisations.waveform import waveform


@dataclass(frozen=True, kw_only=True)
class Spoken(Parametrisation):
    """Mixtures of letters that a synthesiser is to say."""

    writer: Writer
    """Who speaks, at the domain's rate, in as many seconds as it is told."""
    tokens: int = 32
    """Places, all of which are spoken; about sixteen a second."""
    scale: float = 1.0
    """Deviation of the start; 0 is an even mixture."""

    def __post_init__(self) -> None:
        if self.tokens < 1 or not self.scale >= 0:
            raise ValueError(f"need tokens >= 1 and scale >= 0, got {self.tokens} and {self.scale}")

    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        waveform(domain, "spoken")
        if self.writer.speak is None or self.writer.rate != domain.rate:
            who = f"{self.writer.card.name} at {self.writer.rate} Hz" + (", which cannot" if self.writer.speak is None else "")
            raise ObvertError(f"need a synthesiser at {domain.rate} Hz that speaks as long as it is told, got {who}")
        draw = torch.randn(self.tokens, len(self._letters()), generator=torch.Generator().manual_seed(seed))
        return (self.scale * draw).expand(count, -1, -1).clone()

    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        assert self.writer.speak is not None
        rows = theta.softmax(-1) @ self._letters().to(theta)
        return self.writer.speak(self.writer.prompt(self.writer.sentence(rows)), waveform(domain, "spoken"))

    def _letters(self) -> Tensor:
        """(V, d) embeddings of what a text may hold."""
        table = self.writer.vocabulary
        return (table if self.writer.choices is None else table[self.writer.choices]).float()
