"""Choose how to search, on a validation split that no test query is part of.

Tried are native features, every closed-form map with its candidate settings, a learned inverter if there is one, OTI (or
OVI) along its step curve, and score fusion of the best of each with native features. The best by mean average precision is
taken if the paired bootstrap interval of its gain over native lies above 0; otherwise native is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from obvert.core import DualEncoder, FeatureMap, Fitted, Method, ObvertError, Progress, Reference
from obvert.methods.oti import OTI
from obvert.methods.ovi import OVI
from obvert.metrics import bootstrap
from obvert.registry import find, names
from obvert.report import Block, Table, Text
from obvert.store import Run
from obvert.tasks._apply import CROSSING, Applied, apply, invert
from obvert.tasks._fuse import WEIGHTS, fuse_scores
from obvert.tasks.retrieval import Collection, judge

MOST = 512
"""Validation queries at most."""
SHARE = 0.3
"""Of each class, where the collection has no gallery of its own to take them from."""
CURVES = {"oti": (2, 4, 7, 10, 14, 17, 20, 25, 30, 40, 50, 75, 100, 150), "ovi": (10, 25, 50, 100, 250, 500, 1000)}
"""Steps tried of each method, up to its own most."""
TOKENS = (1, 4)
"""Pseudo-tokens tried of OTI."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen and why."""

    label: str
    """In words: "text-pca, components 16, with weight 0.9 beside native"."""
    name: str
    """Of the feature map or method."""
    settings: Method | FeatureMap | Fitted | None
    """It, with its settings; None for native."""
    weight: float
    """Of it in score fusion with native features; 1 when alone."""
    why: str
    """A sentence with the numbers of the validation split."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The best of each family on the validation split."""
    best: dict[str, tuple[Any, float]] = field(default_factory=dict)
    """{family: (its best settings, their best weight beside native)}."""

    def apply(self, model: DualEncoder, collection: Collection, reference: Reference, **rest: Any) -> Applied:
        """Queries and gallery of a collection under the choice; `rest` goes to `obvert.tasks._apply.apply`."""
        queries, gallery = collection.features[collection.query_rows], collection.features[collection.gallery_rows]
        found = apply(
            self.name,
            model,
            queries,
            gallery,
            modality=collection.modality,
            reference=reference,
            settings=self.settings,
            **rest,
        )
        if self.weight < 1:
            found = fuse_scores(Applied(name="native", queries=queries, gallery=gallery, seconds=0.0), found, self.weight)
        return replace(found, name="auto")


def explain(choice: Choice, validation: Collection) -> list[Block]:
    """What was chosen and why, as blocks of a report."""
    count = len(validation.query_rows)
    note = f"On {count} validation queries, none of which is a test query. Fused: score fusion with native features."
    table = Table(title="What auto tried", rows=choice.rows, best=("map", "map_fused"), note=note)
    return [Text(title="What auto chose", lines=[f"Chosen: {choice.why}."]), table]


def hold_out(collection: Collection, *, seed: int = 0) -> tuple[Collection, Collection]:
    """Split a collection into one to choose on and one to test on.

    Where queries have a gallery of their own, validation rows are taken from that gallery and the test stays whole.
    Otherwise a share of each class is taken out of the test queries; it stays in the gallery. Of captions in groups, each
    with one query, a share of the groups is taken.

    Args:
        collection: what is searched.
        seed: of the draw.

    Returns:
        The validation collection, none of whose rows is a test query, and the test collection.

    Raises:
        ObvertError: when no class is large enough to give to both, or relevance is listed query by query.
    """
    if collection.judged:
        raise ObvertError("auto needs classes or groups to choose on, got relevance listed query by query; name the feature map")
    draw = torch.Generator().manual_seed(seed)
    labels = collection.labels
    if collection.modality == "text" and len(labels[collection.query_rows].unique()) == len(collection.query_rows):
        return _hold_out_groups(collection, draw)
    own = not torch.isin(collection.query_rows, collection.gallery_rows).any()
    pool = collection.gallery_rows if own else collection.query_rows
    kinds = labels[pool].unique()
    most = max(2, MOST // max(1, len(kinds)))
    taken = []
    for kind in kinds[torch.randperm(len(kinds), generator=draw)][: MOST // 2].tolist():
        mine = pool[labels[pool] == kind]
        count = min(most, len(mine)) if own else min(most, max(2, round(SHARE * len(mine))), len(mine) - 2)
        if count >= 2:
            taken.append(mine[torch.randperm(len(mine), generator=draw)[:count]])
    if not taken:
        raise ObvertError("auto needs a class with four pictures or more to choose on, got none; name the feature map")
    rows = torch.cat(taken).sort().values
    validation = replace(collection, query_rows=rows, gallery_rows=rows)
    if own:
        return validation, collection
    return validation, replace(collection, query_rows=collection.query_rows[~torch.isin(collection.query_rows, rows)])


def _hold_out_groups(collection: Collection, draw: torch.Generator) -> tuple[Collection, Collection]:
    groups = collection.labels[collection.query_rows]
    if len(groups) < 4:
        raise ObvertError(f"auto needs at least four groups of texts to choose on, got {len(groups)}; name the feature map")
    order = torch.randperm(len(groups), generator=draw)
    chosen = groups[order[: min(MOST, max(2, round(SHARE * len(groups))))]]
    of_query, of_gallery = torch.isin(groups, chosen), torch.isin(collection.labels[collection.gallery_rows], chosen)
    validation = replace(collection, query_rows=collection.query_rows[of_query], gallery_rows=collection.gallery_rows[of_gallery])
    return validation, replace(collection, query_rows=collection.query_rows[~of_query])


def choose_all(
    model: DualEncoder,
    validation: Collection,
    reference: Reference,
    *,
    settings: Mapping[str, Any] | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> Choice:
    """Choose feature map, steps and fusion weight on a validation collection.

    Args:
        model: who gave the features.
        validation: what is searched; see `hold_out`.
        reference: what closed-form maps learn from.
        settings: {"inverter": a fitted one, "oti": whose steps are the most tried}.
        run: where finished pieces are kept.
        seed: of methods and the bootstrap.
        progress: gives a progress callback for a name.

    Returns:
        The choice, with the reason.
    """
    queries, gallery = validation.features[validation.query_rows], validation.features[validation.gallery_rows]
    native = Applied(name="native", queries=queries, gallery=gallery, seconds=0.0)
    given = dict(settings or {})

    def score(applied: Applied) -> Tensor:
        return judge(applied, validation, task="", model="").scores["map"]

    base = score(native)
    tried: list[tuple[str, str, Any, float, Tensor]] = [("native", "native", None, 1.0, base)]
    options: dict[str, list[tuple[str, Any, Applied]]] = {}
    for name in names("features"):
        for map in _candidates(name, given.get(name), reference):
            applied = apply(name, model, queries, gallery, modality=validation.modality, reference=reference, settings=map)
            options.setdefault(name, []).append((_label(name, map), map, applied))
    crossing = CROSSING[validation.modality]
    for method, applied in _along(crossing, given.get(crossing), model, native, run, seed, progress):
        options.setdefault(crossing, []).append((_label(crossing, method), method, applied))
    rows = []
    best_of: dict[str, tuple[Any, float]] = {}
    for name, candidates in options.items():
        label, chosen, applied = max(candidates, key=lambda one: score(one[2]).nanmean().item())
        alone = score(applied)
        fused = [(weight, score(fuse_scores(native, applied, weight))) for weight in WEIGHTS]
        weight, together = max(fused, key=lambda one: one[1].nanmean().item())
        tried.append((label, name, chosen, 1.0, alone))
        tried.append((f"{label}, with weight {weight:g} beside native", name, chosen, weight, together))
        best_of[name] = (chosen, weight)
        rows.append({"family": name, "tried": len(candidates), "best": label, "map": alone.nanmean().item()})
        rows[-1] |= {"fusion_weight": weight, "map_fused": together.nanmean().item()}
    label, name, chosen, weight, best = max(tried, key=lambda one: one[4].nanmean().item())
    mean, low, high = bootstrap(best - base, seed=seed)
    said = f"on {len(queries)} validation queries, mAP {best.nanmean():.3f} against {base.nanmean():.3f} native"
    gain = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
    if name != "native" and low <= 0:
        why = f"native: {label} was best {said}, but its gain {gain} is not above noise"
        return Choice(label="native", name="native", settings=None, weight=1.0, why=why, rows=rows, best=best_of)
    why = f"{label}: {said}, a gain of {gain}" if name != "native" else f"native: nothing did better {said}"
    return Choice(label=label, name=name, settings=chosen, weight=weight, why=why, rows=rows, best=best_of)


def _candidates(name: str, given: Any, reference: Reference) -> list[Any]:
    """Settings of a feature map worth trying: the fitted one that was given, or those that can learn from the reference."""
    if given is not None:
        return [given]
    found = find("features", name)()
    try:
        found.fit(reference)
    except ObvertError:
        return []
    return found.candidates(reference)


def _along(
    name: str, given: Any, model: DualEncoder, native: Applied, run: Run | None, seed: int, progress: Callable[[str], Any]
) -> list[tuple[Any, Applied]]:
    """A method along its step curve: one run gives all of it."""
    published: Any = given or (OTI() if name == "oti" else OVI())
    steps = tuple(step for step in CURVES[name] if step <= published.steps) or (published.steps,)
    methods = [replace(published, tokens=tokens) for tokens in TOKENS] if name == "oti" else [published]
    found = []
    for method in methods:
        long = replace(method, steps=steps[-1], snapshots=steps, stop=None, keep="last")
        key = f"auto-{name}-{getattr(method, 'tokens', 0)}"
        at = invert(long, model, native.queries, name=key, run=run, seed=seed, progress=progress("choosing"))
        found += [
            (replace(method, steps=step, stop=None, keep="last"), replace(native, name=name, queries=at[f"at/{step}"]))
            for step in steps
        ]
    return found


def _label(name: str, map: Any) -> str:
    """A map or method with what makes it differ from the others of its family."""
    told = {key: getattr(map, key) for key in ("tokens", "steps", "components", "top", "bottom") if hasattr(map, key)}
    return ", ".join([name, *(f"{value} {key}" for key, value in told.items() if value is not None)])
