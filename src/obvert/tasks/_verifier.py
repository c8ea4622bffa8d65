"""A further network that a picture has to look real to: its statistics of real pictures are a prior of the search, never a judge.

weight * sum over layers of |mean(x) - mean*| + |var(x) - var*|
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from obvert.core import Answer, Autoencoder, Card, Objective, ObvertError, Reader
from obvert.models import load
from obvert.objectives.feature_statistics import FeatureStatistics

WEIGHT = 0.004
"""As published."""


def verifier(name: str, real: Tensor, *, device: str = "auto", weight: float = WEIGHT) -> tuple[Objective, Card]:
    """The statistics of a network as a prior.

    Args:
        name: of an autoencoder of pictures, whose latents count, or of a vision-language model, whose picture tower counts.
        real: (N, 3, H, W) in [0, 1], what is real.
        device: where it runs.
        weight: of the prior.

    Returns:
        The prior, differentiable in pictures (B, 3, H, W) in [0, 1], and who the network is.

    Raises:
        ObvertError: for a network without layers of pictures.
    """
    model = load(name, device=device)
    if isinstance(model, Autoencoder) and model.media == "picture":
        encode, padded = model.to_latents, model.padded

        def layers(x: Tensor) -> list[Tensor]:
            return [encode(padded(x)).flatten(2).mT]

    elif isinstance(model, Reader) and model.layers:
        reader, names, silent = model, model.layers, model.answer(["a"])

        def layers(x: Tensor) -> list[Tensor]:
            with reader.watch(names) as seen:
                reader.log_likelihood(reader.front(list(x)), Answer(*(t.expand(len(x), -1) for t in silent)))
            return [seen[layer] for layer in names]

    else:
        raise ObvertError(f"need a verifier with layers of pictures, such as zoo/vae, got {name}")
    return weight * FeatureStatistics.of(Tower(card=model.card, layers=layers), real.to(model.device)), model.card


@dataclass(frozen=True, kw_only=True)
class Tower:
    """Pictures -> the tokens of some layers, and whose they are, for the record."""

    card: Card
    layers: Callable[[Tensor], list[Tensor]]

    def __call__(self, x: Tensor) -> list[Tensor]:
        return self.layers(x)
