"""How unlikely a reader finds a text, given what it is shown: the cross-entropy of teacher forcing.

-1 / T sum_t log p(y_t | y_<t, x)
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from obvert.core import Answer, Objective, Reader


@dataclass(frozen=True)
class Reading(Objective):
    """Mean cross-entropy of the text's tokens in nats, as the term "reading"."""

    reader: Reader
    answer: Answer
    """Of the wanted texts, one a sample."""

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Of what the network takes, (B, *features.shape)."""
        said = self.reader.log_likelihood(x, self.answer)
        return {"reading": -said.sum(1) / self.answer.mask.sum(1)}
