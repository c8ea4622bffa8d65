"""Retrieval within one modality: pictures by a picture, or texts by a text, under every feature map side by side.

Who searches whom, and what is right, the collection says; the query itself is never in its gallery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from obvert.core import DualEncoder, FeatureMap, Fitted, Method, Progress, Reference
from obvert.metrics import bootstrap, judged_retrieval, retrieval, revisited
from obvert.report import Curves, Gallery, GalleryRow, Histograms, Table
from obvert.store import Run
from obvert.tasks._apply import Applied, apply
from obvert.tasks._collection import Collection, all_against_all, as_split, check_classes, first_against_rest

__all__ = [
    "Collection",
    "Outcome",
    "all_against_all",
    "as_split",
    "check_classes",
    "compare",
    "curves",
    "examples",
    "first_against_rest",
    "judge",
    "similarities",
    "step_curve",
    "table",
]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One feature map on one collection."""

    applied: Applied
    scores: dict[str, Tensor]
    """{measure: (Q,)}; NaN where a query has nothing relevant."""
    row: dict[str, Any]
    """For the report."""


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
        One outcome for each name, in that order; of a collection with levels, those of each level together.
    """
    queries, gallery = collection.features[collection.query_rows], collection.features[collection.gallery_rows]
    mapped = [
        apply(
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
        for name in by
    ]
    return [
        judge(applied, collection, task=task, level=level, model=model.card.name, seed=seed)
        for level in collection.levels
        for applied in mapped
    ]


def judge(applied: Applied, collection: Collection, *, task: str, model: str, level: str = "", seed: int = 0) -> Outcome:
    """Measure mapped features on a collection, at one of its levels."""
    found = measure(applied.queries, applied.gallery, collection, level)
    row: dict[str, Any] = {"task": f"{task}, {level}" if level else task, "model": model, "features": applied.name}
    for name, values in found.items():
        mean, *interval = bootstrap(values, seed=seed)
        row |= {name: mean, f"{name}_interval": interval}
    undefined = int(found["map"].isnan().sum())
    row |= {"seconds_per_query": applied.seconds, "queries": len(applied.queries), "gallery": len(applied.gallery)}
    row |= {"undefined_queries": undefined, "steps": None if applied.steps is None else applied.steps.double().mean().item()}
    return Outcome(applied=applied, scores=found, row=row)


def measure(queries: Tensor, gallery: Tensor, collection: Collection, level: str = "") -> dict[str, Tensor]:
    """Measure rankings as the collection says what is right.

    Args:
        queries: (Q, d) features of the collection's queries.
        gallery: (G, d) features of its gallery.
        collection: who searches whom.
        level: one of its levels.

    Returns:
        {measure: (Q,)}, "map" among them; NaN where a query has nothing relevant.
    """
    if collection.judged:
        relevant, junk = collection.places(level)
        judged = revisited if collection.judged[level].trapezoidal else judged_retrieval
        return judged(queries, gallery, relevant, junk=junk)
    labels = collection.labels
    asked, searched = labels[collection.query_rows], labels[collection.gallery_rows]
    return retrieval(queries, gallery, asked, searched, self_index=collection.self_index)


def table(outcomes: list[Outcome], title: str, note: str = "") -> Table:
    """Outcomes as the report's table, a group for each level."""
    measures = tuple(dict.fromkeys(name for o in outcomes for name in o.scores))
    levels = ["task"] if len({o.row["task"] for o in outcomes}) > 1 else []
    return Table(
        title=title,
        rows=[o.row for o in outcomes],
        columns=[*levels, "features", *measures, "steps", "seconds_per_query", "queries", "gallery"],
        intervals={"map": "map_interval"},
        best=measures,
        group=("task",),
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
    first = collection.levels[0]
    values = [measure(at[step], gallery, collection, first)["map"].nanmean().item() for step in sorted(at)]
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
    for applied in _once(outcomes):
        if applied.name in ("oti", "ovi"):
            series[f"{applied.name.upper()}–{kind}"] = draw(applied.queries)
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
    """A few queries with their best results under each feature map, right or wrong at the first level.

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
        for applied in _once(outcomes):
            scores = applied.gallery @ applied.queries[q]
            if place is not None:
                scores[place[q]] = -torch.inf
            best = collection.gallery_rows[scores.topk(min(top, len(scores) - (place is not None))).indices].tolist()
            results[applied.name] = [(show(i), label(i), collection.verdict(q, i)) for i in best]
        row = int(collection.query_rows[q])
        rows.append(GalleryRow(query=show(row), label=label(row), results=results))
    return Gallery(title="What a few queries find", queries=rows)


def _once(outcomes: list[Outcome]) -> list[Applied]:
    """Each feature map once, however many levels it was judged at."""
    return list({o.applied.name: o.applied for o in outcomes}.values())
