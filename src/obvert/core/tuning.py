"""Tuning: a copy of a dual encoder whose text tower, and where that is asked for whose image side, may change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor
from torch.nn import Parameter

from obvert.core.model import DualEncoder

ImageTower = Literal["frozen", "map", "tuned"]
"""The image side of a tuning: as it is, with one linear map of its features, or changed in all its linear layers."""


class Tuning(Protocol):
    """A dual encoder under training: its text tower, and where that is asked for its image side."""

    @property
    def tunes_images(self) -> bool:
        """Whether the image tower is tuned, so that features that were taken before do not hold any more."""
        ...

    def features(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (B, d) unit norm fp32, with gradients to `parameters`."""
        ...

    def from_features(self, features: Tensor) -> Tensor:
        """The encoder's unit features of images (..., d) -> unit features under the map; the same where there is none.

        Raises:
            ObvertError: where the image tower itself is tuned.
        """
        ...

    def image_features(self, images: Sequence[Tensor]) -> Tensor:
        """Images (3, H, W) in [0, 1] -> (B, d) unit norm fp32, with gradients to `parameters`."""
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

    def tuning(self, rank: int | None = None, *, image_tower: ImageTower = "frozen", seed: int = 0) -> Tuning:
        """A copy with low-rank changes of each linear layer of the text tower, or one linear map of its features.

        Args:
            rank: of the changes; None for the linear map.
            image_tower: "map" for one linear map of the features of images besides, "tuned" for low-rank changes there, too.
            seed: of the draw that the changes start from.
        """
        ...
