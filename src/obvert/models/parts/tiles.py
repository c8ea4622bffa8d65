"""Pictures cut into tiles that an image tower takes one by one, beside the whole picture in the size of one tile.

    picture -> its size -> R x C tiles, and the canvas that was cut, resized to a tile -> normalised (T, 3, h, w)

Every picture is first resized to one size, so that all have the same tiles; T = R C + 1, or 1 where nothing is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from obvert.models.parts.preprocess import Preprocess


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Resize, cut and normalise pictures."""

    pixels: Preprocess
    """Of one tile, to which it resizes exactly."""
    size: tuple[int, int]
    """(H, W) that pictures are resized to first."""
    grid: tuple[int, int] | None
    """Rows and columns of tiles; None where nothing is cut."""
    first: bool = False
    """Whether the whole picture comes before the tiles, rather than behind them."""

    @property
    def tile(self) -> tuple[int, int]:
        """(h, w) of a tile."""
        return self.pixels.size

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, 3, h, w)."""
        rows, columns = self.grid or (0, 0)
        return (rows * columns + 1, 3, *self.tile)

    def __call__(self, pictures: Sequence[Tensor]) -> Tensor:
        """Preprocess pictures, differentiably.

        Args:
            pictures: B tensors (3, h, w), floats in [0, 1], of any sizes.

        Returns:
            (B, T, 3, h, w) in the precision of the pictures; rounded to 8-bit levels wherever it is resized.
        """
        plain = self.pixels.plain
        whole = replace(plain, resize=self.size)(pictures)
        if self.grid is None:
            return self.pixels.normalise(plain(list(whole)))[:, None]
        (rows, columns), (h, w) = self.grid, self.tile
        canvas = replace(plain, resize=(rows * h, columns * w))(list(whole))
        tiles = canvas.unflatten(3, (columns, w)).unflatten(2, (rows, h)).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
        whole = plain(list(canvas))[:, None]
        return self.pixels.normalise(torch.cat((whole, tiles) if self.first else (tiles, whole), dim=1))

    def undo(self, features: Tensor) -> Tensor:
        """(..., T, 3, h, w) -> the same without the normalisation."""
        return self.pixels.undo(features)

    def back(self, features: Tensor) -> Tensor:
        """(B, T, 3, h, w) -> pictures (B, 3, H, W) in [0, 1]: the tiles put together, without the whole picture beside them."""
        plain = self.undo(features).clamp(0, 1)
        if self.grid is None:
            found = plain[:, 0]
        else:
            tiles = (plain[:, 1:] if self.first else plain[:, :-1]).unflatten(1, self.grid)
            found = tiles.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
        if found.shape[2:] == self.size:
            return found
        return torch.nn.functional.interpolate(found, self.size, mode="bilinear", antialias=True).clamp(0, 1)
