"""CLIP's two towers over the weights of a loaded model: pseudo-tokens in, features out.

Text: [SOT a photo of] v_1 .. v_R [EOT], causal, read at EOT.  Picture: [CLS] w_1 .. w_U, read at CLS, where P
pseudo-patches are spread over the U positions by nearest interpolation along the raster.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from obvert.core import Map, ObvertError
from obvert.models.parts.transformer import Apply, Block, read_first, read_last, remember

SCALE = 0.02
"""Deviation of the draw that a search for tokens or patches starts from."""


@dataclass(frozen=True, kw_only=True)
class CausalText:
    """A causal text tower read at EOT."""

    embedding: Tensor
    """(vocabulary, width)."""
    positions: Tensor
    """(context, width)."""
    blocks: list[Block]
    norm: Apply
    project: Apply
    prefix: list[int]
    """Token ids of the start and "a photo of"."""
    end: int
    """Token id of EOT."""

    def from_tokens(self, tokens: int) -> Map:
        """(B, tokens, width) pseudo-tokens -> (B, d) features, the prefix remembered."""
        first = len(self.prefix)
        room = len(self.positions) - first - 1
        if not 1 <= tokens <= room:
            raise ObvertError(f"need 1 to {room} pseudo-tokens in this context, got {tokens}")
        start = self.embedding[self.prefix] + self.positions[:first]
        caches = remember(self.blocks, start[None].detach())
        end = self.embedding[self.end].detach()
        places = self.positions[first : first + tokens + 1].detach()

        def call(v: Tensor) -> Tensor:
            live = torch.cat((v.to(end.dtype), end.expand(len(v), 1, -1)), dim=1) + places
            return at_least_fp32(self.project(self.norm(read_last(self.blocks, caches, live))))

        return Map(call=call, shape=(tokens, self.embedding.shape[1]), scale=SCALE)


@dataclass(frozen=True, kw_only=True)
class VisionTower:
    """A vision transformer read at its class token."""

    patchify: Apply
    """(B, 3, H, W) -> (B, U, width)."""
    token: Tensor
    """(width,) the class embedding."""
    positions: Tensor
    """(1 + U, width)."""
    norm_in: Apply
    blocks: list[Block]
    norm_out: Apply
    project: Apply

    def __call__(self, patches: Tensor) -> Tensor:
        """(B, U, width) patch embeddings without positions -> (B, d) features."""
        tokens = torch.cat((self.token.expand(len(patches), 1, -1), patches), dim=1) + self.positions
        return at_least_fp32(self.project(self.norm_out(read_first(self.blocks, self.norm_in(tokens)))))

    def from_patches(self, patches: int) -> Map:
        """(B, patches, width) pseudo-patches -> (B, d) features."""
        room = len(self.positions) - 1
        if not 1 <= patches <= room:
            raise ObvertError(f"need 1 to {room} pseudo-patches in this picture, got {patches}")

        def call(w: Tensor) -> Tensor:
            return self(spread(w.to(self.token.dtype), room))

        return Map(call=call, shape=(patches, self.token.shape[0]), scale=SCALE)


def at_least_fp32(x: Tensor) -> Tensor:
    """Half precision as fp32; the rest as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def spread(patches: Tensor, positions: int) -> Tensor:
    """Nearest interpolation of (B, P, width) along the raster to (B, positions, width)."""
    return F.interpolate(patches.transpose(1, 2), size=positions, mode="nearest").transpose(1, 2)
