"""Tuning: a copy of a dual encoder's text tower whose weights may change, and a map of picture features; it stays itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.nn import Parameter

from obvert.core.model import DualEncoder


class Tuning(Protocol):
    """A dual encoder under training: its text tower, and where that is asked for one linear map of picture features."""

    def features(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (B, d) unit norm fp32, with gradients to `parameters`."""
        ...

    def pictures(self, features: Tensor) -> Tensor:
        """The encoder's unit features of pictures (..., d) -> unit features under the map; the same where there is none."""
        ...

    def parameters(self) -> dict[str, Parameter]:
        """What is trained, by name; the features are those of the encoder until one of them changes."""
        ...

    def interpolated(self, share: float) -> Tuning:
        """Another copy whose weights lie that share of the way from the encoder's to these; 0 is the encoder's."""
        ...

    def save(self, folder: Path) -> None:
        """Write the encoder with these weights into a folder that is there, in the format that it came in."""
        ...


@runtime_checkable
class Tunable(DualEncoder, Protocol):
    """A dual encoder that can be tuned."""

    def tuning(self, rank: int | None = None, *, pictures: bool = False, seed: int = 0) -> Tuning:
        """A copy of the text tower, with low-rank changes of each of its linear layers, or one linear map of its features.

        Args:
            rank: of the changes; None for the linear map.
            pictures: with one linear map of the features of pictures besides.
            seed: of the draw that the changes start from.
        """
        ...
