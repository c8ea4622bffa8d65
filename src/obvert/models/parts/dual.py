"""The two-tower encoder that every CLIP-like family fills in, and the check that its fast paths are exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.core import Card, ImageTower, Map, ObvertError, Tuning
from obvert.models.parts.tuning import TunedParts, tuned

BATCH = 64
"""Pictures or texts run at a time."""


@dataclass(frozen=True, kw_only=True)
class Dual:
    """A loaded dual encoder; see `obvert.core.DualEncoder`."""

    card: Card
    device: torch.device
    dtype: torch.dtype
    dimension: int
    width: int
    """Length of a text token's embedding."""
    default_patches: int
    preprocess: Callable[[Sequence[Tensor]], Any]
    """Pictures (3, H, W) in [0, 1] -> what the image tower takes, which has `to(device, dtype)`: (B, 3, H, W) or `Patches`."""
    pixels_to_features: Callable[[Any], Tensor]
    """Preprocessed pictures -> (B, d)."""
    texts_to_features: Callable[[Sequence[str]], Tensor]
    """Texts -> (B, d)."""
    tokens_map: Callable[[int], Map]
    patches_map: Callable[[int], Map]
    heads: tuple[Tensor, Tensor] | None
    """Projection layers, image then text."""
    parameters: Callable[[], dict[str, Tensor]]
    """The model's weights, for those who want to see that they did not change."""
    tuned_parts: TunedParts | None = None
    """What a copy to tune is made of; None where there cannot be one."""

    @property
    def name(self) -> str:
        """Name of the model, as it was asked for."""
        return self.card.name

    @torch.no_grad()
    def image_features(self, pictures: Sequence[Tensor]) -> Tensor:
        """Features of pictures.

        Args:
            pictures: each (3, H, W) in [0, 1], of any size.

        Returns:
            (B, d), unit norm, fp32.
        """
        parts = [self.preprocess(pictures[i : i + BATCH]) for i in range(0, len(pictures), BATCH)]
        rows = [self.pixels_to_features(part.to(self.device, self.dtype)) for part in parts]
        return self._unit(rows)

    @torch.no_grad()
    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Features of texts.

        Args:
            texts: any number of them; each is cut at the model's context length.

        Returns:
            (B, d), unit norm, fp32.

        Raises:
            ObvertError: for a single text that is not in a list.
        """
        if isinstance(texts, str):
            raise ObvertError(f"need a list of texts, got the single text {texts!r}")
        return self._unit([self.texts_to_features(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)])

    def text_from_tokens(self, tokens: int) -> Map:
        """(B, tokens, width) pseudo-tokens after "a photo of" -> (B, d) text features."""
        return self.tokens_map(tokens)

    def image_from_patches(self, patches: int) -> Map:
        """(B, patches, width) pseudo-patches spread over the picture -> (B, d) image features."""
        return self.patches_map(patches)

    def projections(self) -> tuple[Tensor, Tensor]:
        """The last linear layers, image (d, d_vision) and text (d, d_text).

        Returns:
            Both, fp32.

        Raises:
            ObvertError: where the towers do not end in one.
        """
        if self.heads is None:
            raise ObvertError(f"{self.name} does not end in two projection matrices, which isoclip needs")
        return self.heads[0].float(), self.heads[1].float()

    def tuning(self, rank: int | None = None, *, image_tower: ImageTower = "frozen", seed: int = 0) -> Tuning:
        """A copy whose text tower, and image side where that is asked for, may change; this model stays as it is.

        Args:
            rank: of the changes of each of its matrices; None for one linear map of the features.
            image_tower: "map" for one linear map of the features of images besides, "tuned" for changes of that rank there, too.
            seed: of the draw that the changes start from.

        Returns:
            The copy, whose features are still this model's.

        Raises:
            ObvertError: for a family whose text tower cannot be tuned, a model that is not in float32, or one whose
                image tower does not end in a matrix that could take in the map; for an image tower tuned without a rank.
        """
        if self.tuned_parts is None:
            raise ObvertError(f"need a CLIP, SigLIP or OpenCLIP to tune its text tower, got the {self.card.family} {self.name}")
        if self.dtype != torch.float32:
            raise ObvertError(f"need {self.name} in float32 to tune it and to save what comes of it, got {self.dtype}")
        return tuned(self.tuned_parts, rank, image_tower, seed)

    def _unit(self, rows: list[Tensor]) -> Tensor:
        if not rows:
            return torch.zeros(0, self.dimension, device=self.device)
        return normalize(torch.cat(rows).float(), dim=-1)


def agree(fast: Tensor, slow: Tensor, what: str, tolerance: float = 1e-4) -> None:
    """Refuse a fast path that does not give what the model itself gives.

    Args:
        fast: (B, d) of the fast path, fp32.
        slow: (B, d) of the model's own code.
        what: which path, for the message.
        tolerance: largest relative difference of a row.

    Raises:
        ObvertError: when they differ by more.
    """
    differ = ((fast - slow).norm(dim=-1) / slow.norm(dim=-1).clamp(min=1e-12)).max().item()
    if not differ <= tolerance:
        raise ObvertError(
            f"the fast {what} path differs from the model's own by {differ:.1e} (allowed {tolerance:.0e}); not loading it"
        )
