"""A dual encoder under training: a copy of its text tower with adapters; the image tower shared, mapped, or with adapters, too.

The map of image features A is no part of a network until it is saved: normalise(A normalise(W x)) = normalise(A W x).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from obvert.core import ImageTower, ObvertError
from obvert.models.parts.adapters import LinearMap, LowRank, Transposed, adapt, adapters, matrices, merged
from obvert.registry import unknown


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where the last matrix of a tower lies."""

    module: str = ""
    """Its module; "" for the model itself."""
    tensor: str = "weight"
    rows: bool = True
    """Whether it is kept as (out, in), as linear layers have it."""

    def of(self, network: nn.Module) -> nn.Module:
        """The module."""
        return network.get_submodule(self.module)


@dataclass(frozen=True, kw_only=True)
class TunedParts:
    """What a family says of its towers, so that they can be tuned."""

    network: Any
    """The whole model."""
    pictures: str
    """Its image tower: a module that is shared with the copy, unless it is tuned."""
    words: str
    """Its module that is copied and tuned."""
    head: Head
    """Of the text tower."""
    picture_head: Head | None = None
    """Of the image tower; None where it does not end in a matrix."""
    encode: Callable[[Any, Sequence[str]], Tensor]
    """Network, texts -> (B, d)."""
    see: Callable[[Any, Sequence[Tensor]], Tensor]
    """Network, images (3, H, W) in [0, 1] -> (B, d)."""
    write: Callable[[Any, Path], None]
    """Network, folder -> a checkpoint in the format that it came in."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A copy whose weights may change; see `obvert.core.Tuning`."""

    origin: TunedParts
    """Of the encoder."""
    parts: TunedParts
    """The same with the copy for its network."""
    image_map: LinearMap | None = None
    tunes_images: bool = False

    def features(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (B, d) unit norm fp32, with gradients."""
        if isinstance(texts, str) or not texts:
            raise ObvertError(f"need a list of one text or more, got {texts!r}")
        return normalize(self.parts.encode(self.parts.network, texts).float(), dim=-1)

    def from_features(self, features: Tensor) -> Tensor:
        """The encoder's unit features of images -> unit features under the map."""
        if self.tunes_images:
            raise ObvertError("need the images themselves for an image tower that is tuned, got their features")
        return features if self.image_map is None else normalize(features @ self.image_map.matrix.to(features).T, dim=-1)

    def image_features(self, images: Sequence[Tensor]) -> Tensor:
        """Images -> (B, d) unit norm fp32, with gradients."""
        seen = normalize(self.parts.see(self.parts.network, images).float(), dim=-1)
        return seen if self.tunes_images else self.from_features(seen)

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by name."""
        found = {name: p for name, p in self.parts.network.named_parameters() if p.requires_grad}
        return found if self.image_map is None else found | {"images": self.image_map.matrix}

    def interpolated(self, share: float) -> Tuned:
        """Another copy whose weights lie that share of the way from the encoder's to these."""
        if not 0 <= share <= 1:
            raise ObvertError(f"need a share in [0, 1] of the new weights, got {share}")
        again = replace(self, parts=copied(self.parts, whole=self.tunes_images), image_map=copy.deepcopy(self.image_map))
        for adapter in (*adapters(again.parts.network), *([again.image_map] if again.image_map else ())):
            adapter.shrink(share)
        return again

    @torch.no_grad()
    def save(self, folder: Path) -> None:
        """Write the encoder with these weights, adapters merged, in the format that it came in."""
        plain = copy.deepcopy(self.origin.network)
        plain.load_state_dict(merged(self.parts.network), strict=False)
        head = self.origin.picture_head
        if self.image_map and head:
            weight, mapped = getattr(head.of(plain), head.tensor), self.image_map.matrix
            weight.copy_(mapped @ weight if head.rows else weight @ mapped.T)
        self.origin.write(plain, folder)


def tuned(origin: TunedParts, rank: int | None, image_tower: ImageTower, seed: int) -> Tuned:
    """A copy with adapters.

    Args:
        origin: of the encoder, which stays as it is.
        rank: of the changes of each matrix; None for one linear map of the features.
        image_tower: whether it is shared, shared with one linear map of its features, or has low-rank changes, too.
        seed: of the draw that the changes start from.

    Returns:
        The copy; its features are the encoder's.

    Raises:
        ObvertError: for a rank below 1, or none for an image tower; a tower that does not end in a matrix to take a map in.
    """
    if rank is not None and rank < 1:
        raise ObvertError(f"need a rank of 1 or more, got {rank}")
    if image_tower not in (kinds := get_args(ImageTower)):
        raise ObvertError(unknown("image tower", image_tower, list(kinds)))
    if rank is None and image_tower == "tuned":
        raise ObvertError("need a rank to tune the image tower with, got none")
    whole = image_tower == "tuned"
    parts, image_map = copied(origin, whole=whole), None
    if image_tower == "map":
        if origin.picture_head is None:
            raise ObvertError("need an image tower that ends in a matrix, to take in a linear map, got one without")
        weight = getattr(origin.picture_head.of(origin.network), origin.picture_head.tensor)
        image_map = LinearMap(weight.shape[0 if origin.picture_head.rows else 1]).to(weight.device)
    if rank is None:
        _map_features(parts)
    else:
        generator = torch.Generator().manual_seed(seed)
        _change_matrices(parts.network, parts.words, parts.head, rank, generator)
        if whole:
            _change_matrices(parts.network, parts.pictures, parts.picture_head, rank, generator)
    return Tuned(origin=origin, parts=parts, image_map=image_map, tunes_images=whole)


def _change_matrices(network: Any, tower: str, head: Head | None, rank: int, generator: torch.Generator) -> None:
    """Changes of low rank of every matrix of a tower, the last one included."""
    found = list(matrices(network.get_submodule(tower)))
    if head and isinstance(getattr(last := head.of(network), head.tensor), Tensor):
        found += [] if any((module, name) == (last, head.tensor) for module, name in found) else [(last, head.tensor)]
    for module, name in found:
        adapt(module, name, LowRank(tuple(getattr(module, name).shape), rank, generator))


def _map_features(parts: TunedParts) -> None:
    head = parts.head
    last = head.of(parts.network)
    weight = getattr(last, head.tensor)
    if not isinstance(weight, Tensor):
        raise ObvertError("need a text tower that ends in a matrix, to take in a linear map of its features, got one without")
    change = LinearMap(weight.shape[0 if head.rows else 1])
    adapt(last, head.tensor, change if head.rows else Transposed(change))
    if head.rows and getattr(last, "bias", None) is not None:
        adapt(last, "bias", change)


def copied(parts: TunedParts, *, whole: bool = False) -> TunedParts:
    """The same with the text tower copied; the image tower, unless the whole is wanted, is shared: nobody changes it."""
    tower = parts.network.get_submodule(parts.pictures)
    return replace(parts, network=copy.deepcopy(parts.network, None if whole else {id(tower): tower}))
