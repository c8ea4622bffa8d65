"""The measures of the revisited Oxford and Paris benchmarks, ROxford and RParis.

    AP   = (1/R) sum_k (precision@(k-1) + precision@k) / 2 * rel_k,  precision@0 = 1
    P@k  = share of relevant items among the first min(k, l) ranks, l being the rank of the last relevant one

AP is the area under precision against recall by the trapezoidal rule. Junk is taken out of a query's ranking before ranks
are counted. Where nothing is relevant a measure is NaN, not 0. All measures lie in [0, 1] and are float64.

References:
    | Revisiting Oxford and Paris: Large-Scale Image Retrieval Benchmarking (Radenovic et al., 2018)
    | https://arxiv.org/abs/1803.11285
    | Object retrieval with large vocabularies and fast spatial matching (Philbin et al., 2007)
    | https://www.robots.ox.ac.uk/~vgg/publications/2007/Philbin07/
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from obvert.metrics._ranking import Ranking, check_features, check_lists, listed, search

RANKS = (1, 5, 10)
"""Ranks k of P@k."""


def trapezoidal_average_precision(scores: Tensor, relevant: Tensor) -> Tensor:
    """Average precision by the trapezoidal rule.

    Args:
        scores: (Q, N), higher is nearer; -inf takes an item out of the gallery, as junk is.
        relevant: (Q, N) bool.

    Returns:
        (Q,) float64 in [0, 1], NaN where nothing is relevant.

    Raises:
        ValueError: shapes that differ, relevance that is not bool, or scores with NaN.
    """
    return _area(Ranking(scores, relevant))


def precision_at_k(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Share of relevant items among the first k ranks, or up to the last relevant one where that comes earlier.

    Args:
        scores: (Q, N), as in `trapezoidal_average_precision`.
        relevant: (Q, N) bool.
        k: ranks looked at, from 1.

    Returns:
        (Q,) float64 in [0, 1], NaN where nothing is relevant.

    Raises:
        ValueError: k below 1, or what `trapezoidal_average_precision` refuses.
    """
    if k < 1:
        raise ValueError(f"need k >= 1, got {k}")
    return _precision(Ranking(scores, relevant), k)


def revisited(
    queries: Tensor,
    gallery: Tensor,
    relevant: Sequence[Sequence[int]],
    *,
    junk: Sequence[Sequence[int]] | None = None,
    chunk: int = 512,
) -> dict[str, Tensor]:
    """Rank the gallery for every query by inner product, at one level of difficulty.

    Args:
        queries: (Q, d) unit features.
        gallery: (N, d) unit features.
        relevant: of each query, rows of the gallery.
        junk: of each query, rows of the gallery that are taken out of its ranking; None takes out nothing.
        chunk: queries ranked at a time; changes memory, never the result.

    Returns:
        "map" and "precision_at_K" for K = 1, 5, 10 of each query: (Q,) float64, NaN where nothing is relevant.

    Raises:
        ValueError: shapes that do not fit, features that are not finite, rows outside the gallery, or chunk below 1.
    """
    check_features(queries, gallery, chunk)
    check_lists("relevant rows", relevant, queries, gallery)
    if junk is not None:
        check_lists("junk rows", junk, queries, gallery)

    def measure(ranking: Ranking) -> list[Tensor]:
        return [_area(ranking), *(_precision(ranking, k) for k in RANKS)]

    values = search(queries, gallery, listed(relevant, junk), measure, 1 + len(RANKS), chunk)
    return dict(zip(("map", *(f"precision_at_{k}" for k in RANKS)), values.clone(), strict=True))


def _area(ranking: Ranking) -> Tensor:
    precision = ranking.hits / torch.arange(ranking.hits.shape[1], device=ranking.hits.device).clamp(min=1)
    precision[:, 0] = 1
    heights = (precision[:, 1:] + precision[:, :-1]).div_(2).mul_(ranking.relevant[:, 1:]).cumsum_(1)
    return heights[:, -1] / ranking.total if heights.shape[1] else ranking.total / 0


def _precision(ranking: Ranking, k: int) -> Tensor:
    last = (ranking.hits >= ranking.total[:, None]).long().argmax(1)
    rank = last.clamp(max=k)
    return (ranking.hits.gather(1, rank[:, None]).squeeze(1) / rank).masked_fill(ranking.total == 0, torch.nan)
