"""What a vision-language model is to say, and how its layers are to look while it says it, in one run of it.

    -1/T sum_t log p(y_t | picture, question, y_<t)  +  weight * sum over layers of D(moments, moments*)

The layers of the image tower are compared over all their tokens, with what they are for real pictures; those of the language
model over the tokens of the answer, with what they are when the model is told in words what the picture shows.

References:
    | MIMIC (2025), "base" term, https://arxiv.org/abs/2508.07833
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from obvert.core import Answer, Objective, Reader
from obvert.objectives.feature_statistics import Divergence, Moments, moments, together
from obvert.objectives.reading import Reading


@dataclass(frozen=True, kw_only=True)
class Alignment(Objective):
    """Terms "reading" and, where there are targets, "features"; of what the network takes, (B, *features.shape)."""

    reader: Reader
    answer: Answer
    """Of the wanted texts, one a sample."""
    targets: Mapping[str, Moments] = field(default_factory=dict)
    """{layer: mean and variance (B, d)}; those of `reader.layers` over all tokens, others over the answer's."""
    reading: float = 1.0
    """Weight of the text."""
    weight: float = 1.0
    """Weight of the layers."""
    divergence: Divergence = "l2"
    """How far apart two are."""

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        with self.reader.watch(tuple(self.targets)) as seen:
            said = Reading(self.reader, self.answer)(x)["reading"]
        terms = {"reading": self.reading * said}
        if self.targets:
            found = [self.moments(layer, seen[layer]) for layer in self.targets]
            terms["features"] = self.weight * together(found, tuple(self.targets.values()), self.divergence)
        return terms

    def moments(self, layer: str, tokens: Tensor) -> Moments:
        """Of a layer's tokens (B, N, d)."""
        if layer in self.reader.layers:
            return moments(tokens)
        return moments(tokens[:, -self.answer.ids.shape[1] :], self.answer.mask)
