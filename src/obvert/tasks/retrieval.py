"""Retrieval within one modality: pictures by a picture, or texts by a text, under every feature map side by side.

Pictures: every picture queries all others; relevant are those of its class. Texts: the first caption of each group
queries the others; relevant are those of its group. The query itself is never in its gallery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from obvert.core import DualEncoder, FeatureMap, Fitted, Method, Modality, ObvertError, PictureSet, Progress, Reference
from obvert.metrics import bootstrap, retrieval
from obvert.report import Curves, Gallery, GalleryRow, Histograms, Table
from obvert.store import Run
from obvert.tasks._apply import Applied, apply

MEASURES = ("map", "map_at_r", "r_precision", "recall_at_1")
COLUMNS = ["features", *MEASURES, "steps", "seconds_per_query", "queries", "gallery"]


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

    @property
    def self_index(self) -> Tensor | None:
        """(Q,) the place of each query in the gallery; None when no query is in it."""
        place = torch.full((len(self.labels),), -1)
        place[self.gallery_rows] = torch.arange(len(self.gallery_rows))
        found = place[self.query_rows]
        if (found < 0).all():
            return None
        return found


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One feature map on one collection."""

    applied: Applied
    scores: dict[str, Tensor]
    """{measure: (Q,)}; NaN where a query has nothing relevant."""
    row: dict[str, Any]
    """For the report."""


def all_against_all(features: Tensor, labels: Tensor) -> Collection:
    """Every picture queries all others."""
    rows = torch.arange(len(labels))
    return Collection(features=features, labels=labels, query_rows=rows, gallery_rows=rows, modality="image")


def check_classes(pictures: PictureSet, *, allow_single: bool = True) -> None:
    """Refuse a set in which pictures search in vain.

    Args:
        pictures: the set.
        allow_single: take a class of one picture when others have more. A data set with its own queries may have some.

    Raises:
        ObvertError: when no query has anything to find, or a class has one picture and that is not allowed.
    """
    if pictures.queries is not None and pictures.gallery is not None:
        if not {pictures.labels[row] for row in pictures.queries} & {pictures.labels[row] for row in pictures.gallery}:
            raise ObvertError("need a class in both queries and gallery, got none: no query has anything to find")
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


def as_split(pictures: PictureSet, features: Tensor) -> Collection:
    """Who searches whom as the data set says: all all others, or its queries its gallery; ObvertError if in vain."""
    check_classes(pictures)
    labels = torch.tensor(pictures.labels)
    if pictures.queries is None or pictures.gallery is None:
        return all_against_all(features, labels)
    rows, searched = torch.tensor(pictures.queries), torch.tensor(pictures.gallery)
    return Collection(features=features, labels=labels, query_rows=rows, gallery_rows=searched, modality="image")


def first_against_rest(features: Tensor, groups: Tensor) -> Collection:
    """The first text of each group queries all texts that are not first."""
    found = {group: i for i, group in reversed(list(enumerate(groups.tolist())))}
    first = torch.tensor(sorted(found.values()), dtype=torch.int64)
    rest = torch.tensor(sorted(set(range(len(groups))) - set(first.tolist())), dtype=torch.int64)
    if len(rest) == 0:
        raise ObvertError("need groups of at least two captions to search texts by texts, got none")
    return Collection(features=features, labels=groups, query_rows=first, gallery_rows=rest, modality="text")


def compare(
    model: DualEncoder,
    collection: Collection,
    by: list[str],
    reference: Reference,
    *,
    task: str,
    settings: Mapping[str, Method | FeatureMap | Fitted] | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> list[Outcome]:
    """Search a collection under each feature map.

    Args:
        model: who gave the features.
        collection: what is searched.
        by: names of feature maps.
        reference: what closed-form maps learn from.
        task: for the rows.
        settings: {name: method or map with its settings, or a fitted map}; the defaults of those not named.
        run: where finished pieces are kept.
        seed: of methods and of the bootstrap.
        progress: gives a progress callback for a name.

    Returns:
        One outcome for each name, in that order.
    """
    queries, gallery = collection.features[collection.query_rows], collection.features[collection.gallery_rows]
    outcomes = []
    for name in by:
        applied = apply(
            name,
            model,
            queries,
            gallery,
            modality=collection.modality,
            reference=reference,
            settings=(settings or {}).get(name),
            run=run,
            seed=seed,
            progress=progress(name),
        )
        outcomes.append(judge(applied, collection, task=task, model=model.card.name, seed=seed))
    return outcomes


def judge(applied: Applied, collection: Collection, *, task: str, model: str, seed: int = 0) -> Outcome:
    """Measure mapped features on a collection."""
    labels = collection.labels
    found = retrieval(
        applied.queries,
        applied.gallery,
        labels[collection.query_rows],
        labels[collection.gallery_rows],
        self_index=collection.self_index,
    )
    row: dict[str, Any] = {"task": task, "model": model, "features": applied.name}
    for measure in MEASURES:
        mean, *interval = bootstrap(found[measure], seed=seed)
        row |= {measure: mean, f"{measure}_interval": interval}
    undefined = int(found["map"].isnan().sum())
    row |= {"seconds_per_query": applied.seconds, "queries": len(applied.queries), "gallery": len(applied.gallery)}
    row |= {"undefined_queries": undefined, "steps": None if applied.steps is None else applied.steps.double().mean().item()}
    return Outcome(applied=applied, scores=found, row=row)


def table(outcomes: list[Outcome], title: str, note: str = "") -> Table:
    """Outcomes as the report's table."""
    return Table(
        title=title,
        rows=[o.row for o in outcomes],
        columns=COLUMNS,
        intervals={"map": "map_interval"},
        best=MEASURES,
        note=note,
    )


def step_curve(
    at: dict[int, Tensor], collection: Collection, *, reference: Tensor | None = None
) -> tuple[list[float], list[float]]:
    """Mean average precision of query features at each step.

    Args:
        at: {step: (Q, d)} query features.
        collection: what is searched, natively.
        reference: gallery features instead of the native ones.

    Returns:
        Steps and mAP.
    """
    gallery = collection.features[collection.gallery_rows] if reference is None else reference
    labels = collection.labels
    values = []
    for step in sorted(at):
        found = retrieval(
            at[step], gallery, labels[collection.query_rows], labels[collection.gallery_rows], self_index=collection.self_index
        )
        values.append(found["map"].nanmean().item())
    return [float(step) for step in sorted(at)], values


def curves(series: Mapping[str, tuple[Sequence[float], Sequence[float]]], native: float, title: str, note: str = "") -> Curves:
    """Step curves over the native baseline."""
    return Curves(title=title, x_label="steps", y_label="mAP", series=dict(series), lines={"native": native}, note=note)


def similarities(
    outcomes: list[Outcome], collection: Collection, texts: Tensor | None, *, pairs: int = 4000, seed: int = 0
) -> Histograms:
    """Cosines of random pairs: native against native, inverted against native, and texts against native if given."""
    generator = torch.Generator().manual_seed(seed)
    gallery = collection.features[collection.gallery_rows]

    def draw(rows: Tensor) -> list[float]:
        left = rows[torch.randint(len(rows), (pairs,), generator=generator)]
        right = gallery[torch.randint(len(gallery), (pairs,), generator=generator)]
        return (left * right).sum(1).tolist()

    kind = collection.modality
    series: dict[str, Sequence[float]] = {f"{kind}–{kind}": draw(collection.features[collection.query_rows])}
    for outcome in outcomes:
        if outcome.applied.name in ("oti", "ovi"):
            series[f"{outcome.applied.name.upper()}–{kind}"] = draw(outcome.applied.queries)
    if texts is not None:
        other = "text" if kind == "image" else "image"
        series[f"{other}–{kind}"] = draw(texts)
    return Histograms(title="How similar random pairs are", x_label="cosine", series=series)


def examples(
    outcomes: list[Outcome],
    collection: Collection,
    show: Callable[[int], Any],
    label: Callable[[int], str],
    *,
    count: int = 4,
    top: int = 6,
) -> Gallery:
    """A few queries with their best results under each feature map.

    Args:
        outcomes: what was measured.
        collection: on what.
        show: row -> picture or text.
        label: row -> caption.
        count: queries shown, spread evenly.
        top: results shown for each.

    Returns:
        The gallery.
    """
    asked = torch.linspace(0, len(collection.query_rows) - 1, min(count, len(collection.query_rows))).round().long().tolist()
    place = collection.self_index
    rows = []
    for q in asked:
        results: dict[str, list[tuple[Any, str, bool | None]]] = {}
        for outcome in outcomes:
            scores = outcome.applied.gallery @ outcome.applied.queries[q]
            if place is not None:
                scores[place[q]] = -torch.inf
            best = collection.gallery_rows[scores.topk(min(top, len(scores) - (place is not None))).indices].tolist()
            right = collection.labels[int(collection.query_rows[q])]
            results[outcome.applied.name] = [(show(i), label(i), bool(collection.labels[i] == right)) for i in best]
        row = int(collection.query_rows[q])
        rows.append(GalleryRow(query=show(row), label=label(row), results=results))
    return Gallery(title="What a few queries find", queries=rows)
