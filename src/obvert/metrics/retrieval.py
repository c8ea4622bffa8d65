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

from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F


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
    return _Ranking(scores, relevant).average_precision()


def average_precision_at_r(scores: Tensor, relevant: Tensor) -> Tensor:
    """Average precision of the first R ranks; arguments, result and errors as in `average_precision`."""
    return _Ranking(scores, relevant).average_precision_at_r()


def r_precision(scores: Tensor, relevant: Tensor) -> Tensor:
    """Share of relevant items among the first R ranks; arguments, result and errors as in `average_precision`."""
    return _Ranking(scores, relevant).r_precision()


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
    return _Ranking(scores, relevant).recall_at(k)


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
    _check(queries, gallery, query_labels, gallery_labels, self_index, chunk)
    gallery = gallery.double()

    def measure(rows: Tensor) -> Tensor:
        scores = (queries[rows].double() @ gallery.T).float()
        if self_index is not None:
            scores.scatter_(1, self_index[rows, None], -torch.inf)
        ranking = _Ranking(scores, query_labels[rows, None] == gallery_labels)
        return torch.stack(
            [ranking.average_precision(), ranking.average_precision_at_r(), ranking.r_precision(), ranking.recall_at(1)]
        )

    # Made beforehand: small results that live on between large ones already freed would keep the heap from reusing them.
    values = torch.empty(4, len(queries), dtype=torch.float64, device=queries.device)
    for rows in torch.arange(len(queries), device=queries.device).split(chunk):
        values[:, rows] = measure(rows)
    return {name: row.clone() for name, row in zip(("map", "map_at_r", "r_precision", "recall_at_1"), values, strict=True)}


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


class _Ranking:
    """Relevance in order of rank, sorted once for all measures; column k is rank k, column 0 is before the first."""

    def __init__(self, scores: Tensor, relevant: Tensor) -> None:
        if scores.ndim != 2 or scores.shape != relevant.shape or relevant.dtype != torch.bool:
            got = f"{tuple(scores.shape)} and {tuple(relevant.shape)} {relevant.dtype}"
            raise ValueError(f"need scores (Q, N) and relevant (Q, N) torch.bool, got {got}")
        if bad := int(scores.isnan().any(dim=1).sum()):
            raise ValueError(f"need scores without NaN, got {bad} of {len(scores)} queries with NaN")
        order = scores.sort(dim=1, descending=True, stable=True).indices
        self.relevant = F.pad((relevant & (scores != -torch.inf)).gather(1, order), (1, 0))
        self.hits = self.relevant.cumsum(1, dtype=torch.float64)
        self.total = self.hits[:, -1]

    @cached_property
    def gains(self) -> Tensor:
        """Running sum of precision@k * rel_k; a scan, whose rounding is the same for every number of rows."""
        rank = torch.arange(self.hits.shape[1], device=self.hits.device).clamp(min=1)
        return (self.hits / rank).mul_(self.relevant).cumsum_(1)

    def _at_r(self, running: Tensor) -> Tensor:
        return running.gather(1, self.total.long()[:, None]).squeeze(1) / self.total

    def average_precision(self) -> Tensor:
        return self.gains[:, -1] / self.total

    def average_precision_at_r(self) -> Tensor:
        return self._at_r(self.gains)

    def r_precision(self) -> Tensor:
        return self._at_r(self.hits)

    def recall_at(self, k: int) -> Tensor:
        if k < 1:
            raise ValueError(f"need k >= 1, got {k}")
        found = (self.hits[:, min(k, self.hits.shape[1] - 1)] > 0).double()
        return found.masked_fill(self.total == 0, torch.nan)


def _check(
    queries: Tensor, gallery: Tensor, query_labels: Tensor, gallery_labels: Tensor, self_index: Tensor | None, chunk: int
) -> None:
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"need queries (Q, d) and gallery (N, d), got {tuple(queries.shape)} and {tuple(gallery.shape)}")
    for name, labels, features in (("query", query_labels, queries), ("gallery", gallery_labels, gallery)):
        if labels.shape != features.shape[:1]:
            raise ValueError(f"need one {name} label for each of {len(features)} rows, got shape {tuple(labels.shape)}")
        if bad := int((~features.isfinite()).any(dim=1).sum()):
            raise ValueError(f"need finite {name} features, got {bad} of {len(features)} rows with NaN or infinity")
    if self_index is not None:
        if self_index.shape != query_labels.shape or self_index.dtype != torch.long:
            raise ValueError(f"need self_index ({len(queries)},) torch.int64, got {tuple(self_index.shape)} {self_index.dtype}")
        if bad := int(((self_index < 0) | (self_index >= len(gallery))).sum()):
            raise ValueError(f"need self_index in [0, {len(gallery)}), got {bad} outside")
    if chunk < 1:
        raise ValueError(f"need chunk >= 1, got {chunk}")
