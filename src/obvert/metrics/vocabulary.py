"""Which words lie nearest to embeddings that were searched for, and how near: found prompts are mostly those of no words.

    legibility = mean over places l of max over words v of cos(e_l, V_v)

The embeddings of a real prompt have 1, being rows of the vocabulary. Where they are told to leave themselves out, they have what
real words have with other words; random directions have the least there is. `legibility_scale` gives all three.

References:
    | Investigating the Invertibility of Multimodal Latent Spaces (2025), top-5 cosines
    | https://arxiv.org/abs/2507.23010
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize


class Nearest(NamedTuple):
    """The nearest words of each row, nearest first."""

    ids: Tensor
    """(..., k) int64 rows of the vocabulary."""
    values: Tensor
    """(..., k) float32 cosines, or Euclidean distances."""


@torch.no_grad()
def nearest_tokens(
    embeddings: Tensor,
    vocabulary: Tensor,
    k: int = 5,
    *,
    by: Literal["cosine", "euclidean"] = "cosine",
    without: Tensor | None = None,
    chunk: int = 16_384,
) -> Nearest:
    """The nearest rows of a vocabulary.

    Args:
        embeddings: (..., d).
        vocabulary: (V, d), of any dtype; compared in 32 bits, chunk by chunk.
        k: how many.
        by: what is near: a high cosine, or a short distance.
        without: (...) for each embedding a row that is left out; -1 for none.
        chunk: rows of the vocabulary compared at once; changes memory, never what is found.

    Returns:
        The nearest, ids and values.

    Raises:
        ValueError: for shapes that do not fit, or k outside 1 to V less what is left out.
    """
    room = len(vocabulary) - (without is not None)
    if vocabulary.ndim != 2 or embeddings.shape[-1:] != vocabulary.shape[1:] or not 1 <= k <= room or chunk < 1:
        got = f"{tuple(embeddings.shape)}, {tuple(vocabulary.shape)}, {k} and {chunk}"
        raise ValueError(f"need embeddings (..., d), a vocabulary (V, d), 1 <= k <= {room} and chunk >= 1, got {got}")
    rows = embeddings.detach().reshape(-1, embeddings.shape[-1]).float()
    gone = None if without is None else without.reshape(-1, 1).to(rows.device)
    best = torch.full((len(rows), 0), 0.0, device=rows.device)
    ids = best.long()
    for first in range(0, len(vocabulary), chunk):
        part = vocabulary[first : first + chunk].to(rows.device).float()
        near = normalize(rows, dim=1) @ normalize(part, dim=1).T if by == "cosine" else -torch.cdist(rows, part)
        place = torch.arange(first, first + len(part), device=rows.device).expand_as(near)
        if gone is not None:
            near = near.masked_fill(place == gone, -torch.inf)
        best, ids = torch.cat([best, near], dim=1), torch.cat([ids, place], dim=1)
        best, order = best.topk(min(k, best.shape[1]), dim=1)
        ids = ids.gather(1, order)
    shape = (*embeddings.shape[:-1], k)
    return Nearest(ids.reshape(shape), (best if by == "cosine" else -best).reshape(shape))


def legibility(embeddings: Tensor, vocabulary: Tensor, *, mask: Tensor | None = None, without: Tensor | None = None) -> Tensor:
    """Mean cosine of a prompt's embeddings with their nearest words.

    Args:
        embeddings: (B, L, d).
        vocabulary: (V, d).
        mask: (B, L) bool of the places that count; all where there is none.
        without: (B, L) for each place a word that is left out.

    Returns:
        (B,) float64 in [-1, 1]; NaN where no place counts.
    """
    top = nearest_tokens(embeddings, vocabulary, 1, without=without).values[..., 0].double()
    weight = torch.ones_like(top) if mask is None else mask.to(top)
    return (top * weight).sum(1) / weight.sum(1)


def legibility_scale(ids: Tensor, vocabulary: Tensor, *, mask: Tensor | None = None, seed: int = 0) -> dict[str, Tensor]:
    """What a legibility is to be read against, on real prompts.

    Args:
        ids: (B, L) tokens of real prompts.
        vocabulary: (V, d).
        mask: (B, L) bool of the places that count; all where there is none.
        seed: of the random directions, the same for every prompt.

    Returns:
        {"real": of the prompts, "other": of the prompts with each word left out, "chance": of normal draws that have the
        vocabulary's mean and deviation in each coordinate}: (B,) float64 each.
    """
    rows = vocabulary[ids].float()
    table = vocabulary.float()
    draw = torch.randn(rows.shape[1:], generator=torch.Generator().manual_seed(seed)).to(rows)
    random = (table.mean(0) + table.std(0) * draw).expand_as(rows)
    return {
        "real": legibility(rows, vocabulary, mask=mask),
        "other": legibility(rows, vocabulary, mask=mask, without=ids),
        "chance": legibility(random, vocabulary, mask=mask),
    }
