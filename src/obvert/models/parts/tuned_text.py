"""The text side of a dual encoder under training: a copy of its text tower, the image tower shared, adapters on top."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from obvert.core import ObvertError
from obvert.models.parts.adapters import LinearMap, LowRank, Transposed, adapt, adapters, matrices, merged


@dataclass(frozen=True, kw_only=True)
class TextParts:
    """What a family says of its text tower, so that it can be tuned."""

    network: Any
    """The whole model."""
    pictures: str
    """Its module that is shared with the copy: the image tower."""
    words: str
    """Its module that is copied and tuned."""
    head: tuple[str, str]
    """Module and tensor of the last matrix; the module is "" for the model itself."""
    rows: bool = True
    """Whether that matrix is kept as (out, in), as linear layers have it."""
    encode: Callable[[Any, Sequence[str]], Tensor]
    """Network, texts -> (B, d)."""
    write: Callable[[Any, Path], None]
    """Network, folder -> a checkpoint in the format that it came in."""


@dataclass(frozen=True, kw_only=True)
class TunedText:
    """A copy of a text tower whose weights may change; see `obvert.core.TextTuning`."""

    origin: TextParts
    """Of the encoder."""
    side: TextParts
    """The same with the copy for its network."""

    def features(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (B, d) unit norm fp32, with gradients."""
        if isinstance(texts, str) or not texts:
            raise ObvertError(f"need a list of one text or more, got {texts!r}")
        return normalize(self.side.encode(self.side.network, texts).float(), dim=-1)

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by name."""
        return {name: p for name, p in self.side.network.named_parameters() if p.requires_grad}

    def interpolated(self, share: float) -> TunedText:
        """Another copy whose weights lie that share of the way from the encoder's to these."""
        if not 0 <= share <= 1:
            raise ObvertError(f"need a share in [0, 1] of the new weights, got {share}")
        side = copied(self.side)
        for adapter in adapters(side.network):
            adapter.shrink(share)
        return TunedText(origin=self.origin, side=side)

    def save(self, folder: Path) -> None:
        """Write the encoder with this text tower, adapters merged, in the format that it came in."""
        plain = copied(self.origin).network
        plain.load_state_dict(merged(self.side.network), strict=False)
        self.side.write(plain, folder)


def tuned_text(origin: TextParts, rank: int | None, seed: int) -> TunedText:
    """A copy of a text tower with adapters.

    Args:
        origin: of the encoder, which stays as it is.
        rank: of the changes of each matrix; None for one linear map of the features.
        seed: of the draw that the changes start from.

    Returns:
        The copy; its features are the encoder's.

    Raises:
        ObvertError: for a rank below 1, or a tower that does not end in a matrix to take the map in.
    """
    if rank is not None and rank < 1:
        raise ObvertError(f"need a rank of 1 or more, got {rank}")
    side = copied(origin)
    place, name = side.head
    last = side.network.get_submodule(place)
    if rank is None:
        _map_features(last, name, side.rows)
        return TunedText(origin=origin, side=side)
    found = list(matrices(side.network.get_submodule(side.words)))
    if isinstance(getattr(last, name), Tensor) and not any(module is last for module, _ in found):
        found.append((last, name))
    generator = torch.Generator().manual_seed(seed)
    for module, weight in found:
        adapt(module, weight, LowRank(tuple(getattr(module, weight).shape), rank, generator))
    return TunedText(origin=origin, side=side)


def _map_features(last: nn.Module, name: str, rows: bool) -> None:
    weight = getattr(last, name)
    if not isinstance(weight, Tensor):
        raise ObvertError("need a text tower that ends in a matrix, to take in a linear map of its features, got one without")
    change = LinearMap(weight.shape[0 if rows else 1])
    adapt(last, name, change if rows else Transposed(change))
    if rows and getattr(last, "bias", None) is not None:
        adapt(last, "bias", change)


def copied(side: TextParts) -> TextParts:
    """The same with the text tower copied; the image tower, which nobody changes, is shared."""
    tower = side.network.get_submodule(side.pictures)
    return replace(side, network=copy.deepcopy(side.network, {id(tower): tower}))
