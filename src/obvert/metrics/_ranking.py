"""A gallery ranked for every query: relevance in order of rank, and the search that goes through queries in chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

Mark = Callable[[Tensor, Tensor], Tensor]
"""(rows of queries, their scores (q, N)) -> relevant (q, N) bool; scores what is not in a query's gallery -inf, in place."""


class Ranking:
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


def search(
    queries: Tensor, gallery: Tensor, mark: Mark, measure: Callable[[Ranking], Sequence[Tensor]], count: int, chunk: int
) -> Tensor:
    """Rank the gallery for every query by inner product, and measure the rankings.

    Products are taken in float64 and compared in float32, so that equal features tie whatever the chunk.

    Args:
        queries: (Q, d) features.
        gallery: (N, d) features.
        mark: what is relevant, and what is out.
        measure: ranking -> `count` values (q,) of its queries.
        count: how many measures.
        chunk: queries ranked at a time; changes memory (about 40 bytes times chunk * N), never the result.

    Returns:
        (count, Q) float64.
    """
    gallery = gallery.double()

    def values_of(rows: Tensor) -> Tensor:
        scores = (queries[rows].double() @ gallery.T).float()
        return torch.stack(list(measure(Ranking(scores, mark(rows, scores)))))

    # Made beforehand: small results that live on between large ones already freed would keep the heap from reusing them.
    values = torch.empty(count, len(queries), dtype=torch.float64, device=queries.device)
    for rows in torch.arange(len(queries), device=queries.device).split(chunk):
        values[:, rows] = values_of(rows)
    return values


def listed(relevant: Sequence[Sequence[int]], junk: Sequence[Sequence[int]] | None) -> Mark:
    """What is relevant and what is out by lists, one of each for a query: places in the gallery."""

    def mark(rows: Tensor, scores: Tensor) -> Tensor:
        found = torch.zeros_like(scores, dtype=torch.bool)
        for i, row in enumerate(rows.tolist()):
            found[i, torch.tensor(relevant[row], dtype=torch.long)] = True
            if junk is not None:
                scores[i, torch.tensor(junk[row], dtype=torch.long)] = -torch.inf
        return found

    return mark


def check_features(queries: Tensor, gallery: Tensor, chunk: int) -> None:
    """Refuse features of two widths or with what is not finite, and an empty chunk; ValueError."""
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"need queries (Q, d) and gallery (N, d), got {tuple(queries.shape)} and {tuple(gallery.shape)}")
    for name, features in (("query", queries), ("gallery", gallery)):
        if bad := int((~features.isfinite()).any(dim=1).sum()):
            raise ValueError(f"need finite {name} features, got {bad} of {len(features)} rows with NaN or infinity")
    if chunk < 1:
        raise ValueError(f"need chunk >= 1, got {chunk}")


def check_lists(name: str, lists: Sequence[Sequence[int]], queries: Tensor, gallery: Tensor) -> None:
    """Refuse lists that are not one a query, or that name what is not in the gallery; ValueError."""
    if len(lists) != len(queries):
        raise ValueError(f"need one list of {name} for each of {len(queries)} queries, got {len(lists)}")
    if bad := sum(not 0 <= i < len(gallery) for places in lists for i in places):
        raise ValueError(f"need {name} in [0, {len(gallery)}), got {bad} outside")
