"""Images that a repair looks at: their features, taken once, and the images themselves, for an image tower that is tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import ObvertError, Tuning

BATCH = 256
"""Images run at a time where no gradient is wanted."""


@dataclass(frozen=True, kw_only=True)
class CachedImages:
    """Images and their features."""

    features: Tensor
    """(P, d) unit features by the encoder as it was."""
    load: Callable[[Sequence[int]], list[Tensor]] | None = None
    """Rows -> their images (3, H, W) in [0, 1]; None where they are not at hand."""

    def __len__(self) -> int:
        return len(self.features)

    def part(self, rows: Sequence[int]) -> CachedImages:
        """These rows, in this order."""
        load, rows = self.load, list(rows)
        again = None if load is None else lambda asked: load([rows[i] for i in asked])
        return CachedImages(features=self.features[rows], load=again)

    def seen(self, tuning: Tuning, rows: Sequence[int]) -> Tensor:
        """Features of images under a tuning, with gradients to its parameters.

        Args:
            tuning: the encoder under training.
            rows: which images; one that comes twice is run once.

        Returns:
            (B, d) unit features, on the tuning's device.

        Raises:
            ObvertError: where the image tower is tuned and the images are not at hand.
        """
        if not tuning.tunes_images:
            return tuning.from_features(self.features[list(rows)])
        if self.load is None:
            raise ObvertError("need the images themselves to tune the image tower, got their features alone")
        place = {row: i for i, row in enumerate(dict.fromkeys(rows))}
        return tuning.image_features(self.load(list(place)))[[place[row] for row in rows]]

    @torch.no_grad()
    def under(self, tuning: Tuning) -> Tensor:
        """(P, d) unit features of all images under a tuning, in main memory."""
        parts = [self.seen(tuning, range(i, min(i + BATCH, len(self)))).cpu() for i in range(0, len(self), BATCH)]
        return torch.cat(parts) if parts else self.features
