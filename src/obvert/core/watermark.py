"""Watermarks in the noise that a text-to-image model starts from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from obvert.core.search import ObvertError


class Watermark(ABC):
    """A scheme: a frozen dataclass whose fields are its whole configuration; a key is made of a seed.

    The noise is what a picture was drawn from: at detection, what the inversions of decoder and sampler found.
    """

    @abstractmethod
    def key(self, shape: Sequence[int], seed: int) -> Tensor:
        """The secret, for latents (C, H, W) and a seed."""

    @abstractmethod
    def embed(self, noise: Tensor, key: Tensor) -> Tensor:
        """Normal noise (B, C, H, W) -> noise that carries the key."""

    @abstractmethod
    def score(self, noise: Tensor, key: Tensor) -> Tensor:
        """(B,) how near noise (B, C, H, W) is to the key, by the published measure; higher is nearer."""

    @abstractmethod
    def p_value(self, noise: Tensor, key: Tensor) -> Tensor:
        """(B,) fp64 chance that noise without this key comes as near to it."""

    def identify(self, noise: Tensor, keys: Sequence[Tensor]) -> Tensor:
        """Which key noise carries, if it carries one: that of the smallest p-value, the nearest where they tie.

        Args:
            noise: (B, C, H, W).
            keys: candidates, one or more.

        Returns:
            (B,) int64 index into the keys.

        Raises:
            ObvertError: without keys.
        """
        if not keys:
            raise ObvertError("need at least one key to choose from, got none")
        p = torch.stack([self.p_value(noise, key) for key in keys])
        near = torch.stack([self.score(noise, key).to(p) for key in keys])
        return near.masked_fill(p > p.amin(0), -torch.inf).argmax(0)
