"""Models: who they are, what a dual encoder can do, and the closed-form maps of its features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import gelu, normalize

from obvert.core.search import Map, ObvertError


@dataclass(frozen=True, kw_only=True)
class Card:
    """Who a model is."""

    name: str
    """As it was asked for."""
    family: str
    """The file of `obvert.models` that runs it."""
    revision: str = ""
    """Commit of a hub model; empty for a local folder."""
    licence: str = "unknown"
    sha256: str = ""
    """Of its weight file."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What its makers recorded: data, steps, minutes, scores."""


@runtime_checkable
class DualEncoder(Protocol):
    """Two towers into one space: CLIP, SigLIP and their kin. Features are (B, d), unit norm, fp32."""

    card: Card
    device: torch.device
    dimension: int
    """Length d of a feature."""
    default_patches: int
    """Pseudo-patches OVI uses on this backbone when told nothing else."""

    def image_features(self, pictures: Sequence[Tensor]) -> Tensor:
        """Features of pictures, each (3, H, W) in [0, 1]."""
        ...

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Features of texts."""
        ...

    def text_from_tokens(self, tokens: int) -> Map:
        """(B, tokens, d_token) pseudo-tokens after "a photo of" -> text features."""
        ...

    def image_from_patches(self, patches: int) -> Map:
        """(B, patches, d_vision) pseudo-patches, spread over the picture -> image features."""
        ...

    def projections(self) -> tuple[Tensor, Tensor]:
        """The last linear layers, image (d, d_vision) and text (d, d_text); ObvertError where a head has none."""
        ...


Modality = Literal["image", "text"]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What closed-form feature maps learn from; never labels, never queries."""

    image: Tensor | None = None
    """(N, d) unit-norm image features."""
    text: Tensor | None = None
    """(M, d) unit-norm text features of texts like those to be mapped."""
    names: Tensor | None = None
    """(K, d) unit-norm text features of names of things, for maps that learn what words tell apart."""
    projections: tuple[Tensor, Tensor] | None = None
    """Last linear layers of the model, image (d, d_vision) and text (d, d_text)."""
    inverted: Mapping[str, Tensor] = field(default_factory=dict)
    """{modality: (N, d)} what a method made of `image` or `text`, row by row, for maps that learn to do its work."""


class FeatureMap(ABC):
    """A closed-form map of features: a frozen dataclass of settings; `fit` gives the fitted map."""

    @abstractmethod
    def fit(self, reference: Reference) -> Fitted:
        """Learn from a reference; ObvertError when it lacks what is needed."""

    def candidates(self, reference: Reference) -> list[FeatureMap]:
        """Settings worth trying on a validation split, these first; only these where there is nothing to set."""
        return [self]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted feature map, one set of numbers a modality: x = f - shift; f -> normalise(matrix x + out gelu(into x + bias))."""

    name: str
    """Of the feature map, as in the registry."""
    settings: dict[str, Any]
    shift: dict[str, Tensor]
    """{modality: (d,)}."""
    matrix: dict[str, Tensor]
    """{modality: (d, d)}."""
    hidden: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    """{modality: {"into": (h, d), "bias": (h,), "out": (d, h)}}, for maps that are not linear."""
    queries_only: bool = False
    """It takes features to the other modality: queries are mapped, the gallery stays native."""

    def __call__(self, features: Tensor, modality: Modality) -> Tensor:
        """Map features (B, d) of one modality; the result is unit norm."""
        if modality not in self.shift:
            raise ObvertError(f"{self.name} was fitted without {modality} features; fit it with them")
        if features.shape[-1] != len(self.shift[modality]):
            raise ObvertError(
                f"{self.name} was fitted on features of length {len(self.shift[modality])}, got {features.shape[-1]}"
            )
        x = features - self.shift[modality].to(features)
        moved = x @ self.matrix[modality].to(features).T
        if modality in self.hidden:
            layer = {name: value.to(features) for name, value in self.hidden[modality].items()}
            moved = moved + gelu(x @ layer["into"].T + layer["bias"]) @ layer["out"].T
        return normalize(moved, dim=-1)
