"""Who searches whom: native features of a set with its queries, its gallery and what is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from obvert.core import Judged, Modality, ObvertError, PictureSet, TextSet


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Native features with labels, and who queries whom."""

    features: Tensor
    """(N, d) unit norm."""
    labels: Tensor
    """(N,) int64."""
    query_rows: Tensor
    """(Q,) rows that query."""
    gallery_rows: Tensor
    """(G,) rows that are searched."""
    modality: Modality
    judged: Mapping[str, Judged] = field(default_factory=dict)
    """{level: what queries should find}; what shares their label when empty."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the ways in which a ranking is judged; one without a name where labels say what is relevant."""
        return tuple(self.judged) or ("",)

    @property
    def self_index(self) -> Tensor | None:
        """(Q,) the place of each query in the gallery; None when no query is in it."""
        found = self._place()[self.query_rows]
        if (found < 0).all():
            return None
        return found

    def places(self, level: str) -> tuple[list[list[int]], list[list[int]]]:
        """Of each query, the places in the gallery of what is relevant and of its junk, the query itself among it."""
        place = self._place().tolist()
        judged = self.judged[level]
        relevant, junk = (
            [[place[row] for row in rows if place[row] >= 0] for rows in kind] for kind in (judged.relevant, judged.junk)
        )
        itself = [[place[row]] if place[row] >= 0 else [] for row in self.query_rows.tolist()]
        return relevant, [[*a, *b] for a, b in zip(junk, itself, strict=True)]

    def verdict(self, query: int, row: int) -> bool | None:
        """Whether a row is right for the query-th query at the first level; None when it is neither right nor wrong."""
        if not self.judged:
            return bool(self.labels[row] == self.labels[self.query_rows[query]])
        judged = self.judged[self.levels[0]]
        return None if row in judged.junk[query] else row in judged.relevant[query]

    def _place(self) -> Tensor:
        place = torch.full((len(self.labels),), -1)
        place[self.gallery_rows] = torch.arange(len(self.gallery_rows))
        return place


def all_against_all(features: Tensor, labels: Tensor) -> Collection:
    """Every picture queries all others."""
    rows = torch.arange(len(labels))
    return Collection(features=features, labels=labels, query_rows=rows, gallery_rows=rows, modality="image")


def first_against_rest(features: Tensor, groups: Tensor) -> Collection:
    """The first text of each group queries all texts that are not first."""
    found = {group: i for i, group in reversed(list(enumerate(groups.tolist())))}
    first = torch.tensor(sorted(found.values()), dtype=torch.int64)
    rest = torch.tensor(sorted(set(range(len(groups))) - set(first.tolist())), dtype=torch.int64)
    if len(rest) == 0:
        raise ObvertError("need groups of at least two captions to search texts by texts, got none")
    return Collection(features=features, labels=groups, query_rows=first, gallery_rows=rest, modality="text")


def as_split(data: PictureSet | TextSet, features: Tensor) -> Collection:
    """Who searches whom as the data set says; ObvertError if in vain.

    Args:
        data: queries with a gallery; without, all pictures search all others, or first texts of groups those that are not.
        features: (N, d) of its rows.

    Returns:
        The collection.
    """
    pictures = isinstance(data, PictureSet)
    labels = torch.tensor(data.labels if isinstance(data, PictureSet) else data.groups)
    if isinstance(data, PictureSet):
        check_classes(data)
    elif data.queries is not None:
        _check_queries(data, data.groups)
    if data.queries is None or data.gallery is None:
        return all_against_all(features, labels) if pictures else first_against_rest(features, labels)
    return Collection(
        features=features,
        labels=labels,
        query_rows=torch.tensor(data.queries, dtype=torch.int64),
        gallery_rows=torch.tensor(data.gallery, dtype=torch.int64),
        modality="image" if pictures else "text",
        judged=data.judged,
    )


def check_classes(pictures: PictureSet, *, allow_single: bool = True) -> None:
    """Refuse a set in which pictures search in vain.

    Args:
        pictures: the set.
        allow_single: take a class of one picture when others have more. A data set with its own queries may have some.

    Raises:
        ObvertError: when no query has anything to find, or a class has one picture and that is not allowed.
    """
    if pictures.queries is not None:
        _check_queries(pictures, pictures.labels)
        return
    counts = Counter(pictures.labels)
    single = [pictures.classes[label] for label, count in sorted(counts.items()) if count == 1]
    if len(single) == len(counts):
        raise ObvertError("need a class with two readable pictures or more, got one in each: no query has anything to find")
    if single and not allow_single:
        more = f" and {len(single) - 1} more" if len(single) > 1 else ""
        raise ObvertError(
            f"need two pictures or more of each class, got one of {single[0]!r}{more}: nothing to find for it; "
            "--allow-single goes on and leaves it out of the means"
        )


def _check_queries(data: PictureSet | TextSet, labels: list[int]) -> None:
    asked, searched = data.queries or [], data.gallery or []
    if data.judged:
        within = set(searched)
        if not any(row in within for judged in data.judged.values() for rows in judged.relevant for row in rows):
            raise ObvertError("need a query with something relevant in the gallery, got none: no query has anything to find")
    elif not {labels[row] for row in asked} & {labels[row] for row in searched}:
        raise ObvertError("need a class in both queries and gallery, got none: no query has anything to find")
