"""Retrieval: how early a ranking of the gallery shows what is relevant.

    AP   = (1/R) sum_k precision@k * rel_k, over the whole gallery
    AP@R = the same sum, cut off at rank R

R is the number of relevant items of the query. Higher scores rank first and ties keep the order of the gallery. An item
scored -inf is not in the gallery: it has no rank and does not count for R. Where nothing is relevant a measure is NaN,
not 0. All measures lie in [0, 1] and are float64.

References:
    | A Metric Learning Reality Check (Musgrave et al., 2020)
    | https://arxiv.org/abs/2003.08505
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from obvert.metrics._ranking import Ranking, check_features, check_lists, listed, search

MEASURES = ("map", "map_at_r", "r_precision", "recall_at_1")


def average_precision(scores: Tensor, relevant: Tensor) -> Tensor:
    """Average precision over the whole gallery.

    Args:
        scores: (Q, N), higher is nearer; -inf takes an item out of the gallery.
        relevant: (Q, N) bool.

    Returns:
        (Q,) float64 in [0, 1], NaN where nothing is relevant.

    Raises:
        ValueError: shapes that differ, relevance that is not bool, or scores with NaN.
    """
    return Ranking(scores, relevant).average_precision()


def average_precision_at_r(scores: Tensor, relevant: Tensor) -> Tensor:
    """Average precision of the first R ranks; arguments, result and errors as in `average_precision`."""
    return Ranking(scores, relevant).average_precision_at_r()


def r_precision(scores: Tensor, relevant: Tensor) -> Tensor:
    """Share of relevant items among the first R ranks; arguments, result and errors as in `average_precision`."""
    return Ranking(scores, relevant).r_precision()


def recall_at_k(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Whether any of the first k ranks is relevant, 1 or 0: the recall@k of metric learning, not the share of R found.

    Args:
        scores: (Q, N), as in `average_precision`.
        relevant: (Q, N) bool.
        k: ranks looked at, from 1; beyond N it means all.

    Returns:
        (Q,) float64, NaN where nothing is relevant.

    Raises:
        ValueError: k below 1, or what `average_precision` refuses.
    """
    return Ranking(scores, relevant).recall_at(k)


def retrieval(
    queries: Tensor,
    gallery: Tensor,
    query_labels: Tensor,
    gallery_labels: Tensor,
    *,
    self_index: Tensor | None = None,
    chunk: int = 512,
) -> dict[str, Tensor]:
    """Rank the gallery for every query by inner product; what shares the query's label is relevant.

    Products are taken in float64 and compared in float32, so that equal features tie whatever the chunk.

    Args:
        queries: (Q, d) unit features.
        gallery: (N, d) unit features.
        query_labels: (Q,) int.
        gallery_labels: (N,) int.
        self_index: (Q,) long, the row of the gallery that is the query itself and is left out; None leaves out nothing.
        chunk: queries ranked at a time; changes memory (about 40 bytes times chunk * N), never the result.

    Returns:
        "map", "map_at_r", "r_precision" and "recall_at_1" of each query: (Q,) float64, NaN where nothing is relevant.

    Raises:
        ValueError: shapes that do not fit, features that are not finite, self_index outside the gallery, or chunk below 1.
    """
    check_features(queries, gallery, chunk)
    _check(queries, gallery, query_labels, gallery_labels, self_index)

    def mark(rows: Tensor, scores: Tensor) -> Tensor:
        if self_index is not None:
            scores.scatter_(1, self_index[rows, None], -torch.inf)
        return query_labels[rows, None] == gallery_labels

    return _named(search(queries, gallery, mark, _measure, len(MEASURES), chunk))


def judged_retrieval(
    queries: Tensor,
    gallery: Tensor,
    relevant: Sequence[Sequence[int]],
    *,
    junk: Sequence[Sequence[int]] | None = None,
    chunk: int = 512,
) -> dict[str, Tensor]:
    """Rank the gallery for every query by inner product; what is relevant is listed query by query.

    Args:
        queries: (Q, d) unit features.
        gallery: (N, d) unit features.
        relevant: of each query, rows of the gallery.
        junk: of each query, rows of the gallery that are taken out of its ranking; None takes out nothing.
        chunk: as in `retrieval`.

    Returns:
        As `retrieval`.

    Raises:
        ValueError: shapes that do not fit, features that are not finite, rows outside the gallery, or chunk below 1.
    """
    check_features(queries, gallery, chunk)
    check_lists("relevant rows", relevant, queries, gallery)
    if junk is not None:
        check_lists("junk rows", junk, queries, gallery)
    return _named(search(queries, gallery, listed(relevant, junk), _measure, len(MEASURES), chunk))


def bootstrap(values: Tensor, *, seed: int = 0, draws: int = 1000, level: float = 0.95) -> tuple[float, float, float]:
    """Mean over queries and its percentile interval, from queries drawn again with replacement.

    Args:
        values: (Q,), one per query; NaN is left out.
        seed: of the draws.
        draws: how many means are drawn.
        level: share of the drawn means inside the interval, in (0, 1).

    Returns:
        Mean, lower end, upper end; three times NaN where no value is left.

    Raises:
        ValueError: values that are not a vector, draws below 1, or level outside (0, 1).
    """
    if values.ndim != 1 or draws < 1 or not 0 < level < 1:
        raise ValueError(f"need values (Q,), draws >= 1, 0 < level < 1, got {tuple(values.shape)}, {draws}, {level}")
    values = values.detach().double().cpu()
    values = values[~values.isnan()]
    if not len(values):
        return (torch.nan,) * 3
    rng = torch.Generator().manual_seed(seed)
    means = torch.stack([values[torch.randint(len(values), values.shape, generator=rng)].mean() for _ in range(draws)])
    low, high = means.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)).tolist()
    return values.mean().item(), low, high


def _measure(ranking: Ranking) -> tuple[Tensor, ...]:
    return ranking.average_precision(), ranking.average_precision_at_r(), ranking.r_precision(), ranking.recall_at(1)


def _named(values: Tensor) -> dict[str, Tensor]:
    return {name: row.clone() for name, row in zip(MEASURES, values, strict=True)}


def _check(queries: Tensor, gallery: Tensor, query_labels: Tensor, gallery_labels: Tensor, self_index: Tensor | None) -> None:
    for name, labels, features in (("query", query_labels, queries), ("gallery", gallery_labels, gallery)):
        if labels.shape != features.shape[:1]:
            raise ValueError(f"need one {name} label for each of {len(features)} rows, got shape {tuple(labels.shape)}")
    if self_index is not None:
        if self_index.shape != query_labels.shape or self_index.dtype != torch.long:
            raise ValueError(f"need self_index ({len(queries)},) torch.int64, got {tuple(self_index.shape)} {self_index.dtype}")
        if bad := int(((self_index < 0) | (self_index >= len(gallery))).sum()):
            raise ValueError(f"need self_index in [0, {len(gallery)}), got {bad} outside")
