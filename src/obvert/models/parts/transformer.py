"""Pre-norm transformer blocks over another model's own weights, and the two exact short cuts.

A causal tower that is read at one position never needs what follows it, and what precedes the unknown tokens never
changes: `remember` runs the constant prefix once, `read_last` runs only the live tokens against it. A tower that is
read at its first token needs, in its last block, the query of that token alone: `read_first`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.nn.functional import scaled_dot_product_attention as attention

Apply = Callable[[Tensor], Tensor]
Cache = tuple[Tensor, Tensor]
"""Keys and values of the prefix in one block, each (1, heads, P, d / heads)."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One pre-norm block: x + out(attend(norm1 x)), then x + mlp(norm2 x). Its parts are the model's own, not copies."""

    norm1: Apply
    query: Apply
    key: Apply
    value: Apply
    out: Apply
    norm2: Apply
    mlp: Apply
    heads: int

    def split(self, x: Tensor) -> Tensor:
        """(B, T, d) -> (B, heads, T, d / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of the block for tokens x (B, T, d), given what their queries gathered."""
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


def packed(weight: Tensor, bias: Tensor | None) -> tuple[Apply, Apply, Apply]:
    """Query, key and value of a model that keeps them in one (3 d, d) matrix and one (3 d,) bias or none."""
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    query, key, value = (partial(linear, weight=w, bias=b) for w, b in zip(weight.chunk(3), biases, strict=True))
    return query, key, value


@torch.no_grad()
def remember(blocks: Sequence[Block], x: Tensor) -> list[Cache]:
    """Run a constant causal prefix (1, P, d) once; the keys and values of each block."""
    caches = []
    for block in blocks:
        h = block.norm1(x)
        keys, values = block.split(block.key(h)), block.split(block.value(h))
        caches.append((keys, values))
        x = block.finish(x, attention(block.split(block.query(h)), keys, values, is_causal=True))
    return caches


def read_last(blocks: Sequence[Block], caches: Sequence[Cache], x: Tensor) -> Tensor:
    """Run live tokens (B, T, d) after a remembered prefix; the last token (B, d). Causal, differentiable."""
    batch, live, _ = x.shape
    past = caches[0][0].shape[2]
    mask = torch.ones(live, past + live, dtype=torch.bool, device=x.device).tril(past)
    for i, (block, (keys, values)) in enumerate(zip(blocks, caches, strict=True)):
        last = i + 1 == len(blocks)
        h = block.norm1(x)
        keys = torch.cat((keys.expand(batch, -1, -1, -1), block.split(block.key(h))), dim=2)
        values = torch.cat((values.expand(batch, -1, -1, -1), block.split(block.value(h))), dim=2)
        if last:  # the last token sees every key: no mask
            x, h = x[:, -1:], h[:, -1:]
        query = block.split(block.query(h))
        x = block.finish(x, attention(query, keys, values, attn_mask=None if last else mask))
    return x[:, 0]


def read_first(blocks: Sequence[Block], x: Tensor) -> Tensor:
    """Run tokens (B, T, d) that all see each other; the first token (B, d)."""
    for i, block in enumerate(blocks):
        h = block.norm1(x)
        keys, values = block.split(block.key(h)), block.split(block.value(h))
        if i + 1 == len(blocks):
            x, h = x[:, :1], h[:, :1]
        x = block.finish(x, attention(block.split(block.query(h)), keys, values))
    return x[:, 0]
