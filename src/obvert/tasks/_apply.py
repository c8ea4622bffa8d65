"""Apply any feature map or method by name: "native", "oti", "ovi", or a closed-form map."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

from obvert.core import DualEncoder, FeatureMap, Fitted, Inversion, Method, Modality, ObvertError, Progress, Reference
from obvert.provenance import clock
from obvert.registry import find, names, unknown
from obvert.store import Run

CHUNK = 64
"""Queries inverted between two looks at the disk: what an interruption can lose."""
CROSSING = {"image": "oti", "text": "ovi"}
"""The method that takes a modality to the other one."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """Queries and gallery under one feature map."""

    name: str
    queries: Tensor
    """(Q, d)."""
    gallery: Tensor
    """(N, d)."""
    seconds: float
    """A query's share of the map's own time; encoding is not counted."""
    steps: Tensor | None = None
    """(Q,) steps a method took."""


def known(modality: Modality) -> list[str]:
    """Names that `apply` takes for this modality."""
    return ["native", CROSSING[modality], *names("features")]


def check(by: list[str], modality: Modality) -> None:
    """Refuse names that neither `apply` nor the tasks know ("auto" is theirs); ObvertError names near misses."""
    there = ["auto", *known(modality)]
    for name in by:
        if name not in there:
            raise ObvertError(unknown(f"feature map for {modality} queries", name, there))


def apply(
    name: str,
    model: DualEncoder,
    queries: Tensor,
    gallery: Tensor,
    *,
    modality: Modality,
    reference: Reference,
    settings: Method | FeatureMap | Fitted | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Applied:
    """Map queries and gallery.

    A method (OTI, OVI) and what was distilled from one map the queries alone, as published; a closed-form map is fitted
    once and maps both.

    Args:
        name: one of `known(modality)`.
        model: who gave the features.
        queries: (Q, d) native features.
        gallery: (N, d) native features.
        modality: of both.
        reference: what closed-form maps learn from.
        settings: the method or map with its settings, or a map that is fitted; its defaults when None.
        run: where a method keeps what is done.
        seed: of a method's start.
        progress: of a method.

    Returns:
        The mapped features and a query's seconds.

    Raises:
        ObvertError: for an unknown name, a map that lacks what it learns from, or a fitted one of another model.
    """
    if name not in known(modality):
        raise ObvertError(unknown(f"feature map for {modality} queries", name, known(modality)))
    if name == "native":
        return Applied(name=name, queries=queries, gallery=gallery, seconds=0.0)
    if name == CROSSING[modality]:
        found = invert(settings or find("methods", name)(), model, queries, run=run, name=name, seed=seed, progress=progress)
        return Applied(
            name=name,
            queries=found["features"],
            gallery=gallery,
            seconds=found["seconds"].item() / max(1, len(queries)),
            steps=found["steps"],
        )
    began = clock(queries.device)
    map: Any = settings or find("features", name)()
    if isinstance(map, Fitted):
        fits(map, model)
    else:
        map = map.fit(reference)
    mapped = map(queries, modality)
    seconds = (clock(queries.device) - began) / max(1, len(queries))
    return Applied(name=name, queries=mapped, gallery=gallery if map.queries_only else map(gallery, modality), seconds=seconds)


def fits(map: Fitted, model: DualEncoder) -> None:
    """Refuse a fitted map that was made for other weights; ObvertError names both."""
    made = map.settings.get("sha256")
    if made and model.card.sha256 and made != model.card.sha256:
        raise ObvertError(
            f"{map.name} was made for {map.settings.get('model')} ({made[:8]}), got {model.card.name} ({model.card.sha256[:8]})"
        )


def invert(
    method: Any,
    model: DualEncoder,
    target: Tensor,
    *,
    name: str,
    run: Run | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Run a method in pieces of `CHUNK` queries that survive an interruption.

    Args:
        method: OTI, OVI or their like.
        model: whose features are inverted.
        target: (Q, d).
        name: of the pieces.
        run: where they are kept; nowhere when None.
        seed: of the start.
        progress: over all pieces.

    Returns:
        {"features": (Q, d), "x": (Q, ...), "error", "steps", "status": (Q,), "seconds": (1,), "at/K": (Q, d)} for
        each asked-for step K, in main memory.
    """
    parts = target.split(CHUNK)
    done: list[dict[str, Tensor]] = []
    for i, part in enumerate(parts):

        def make(part: Tensor = part, i: int = i) -> dict[str, Tensor]:
            return _tensors(method(model, part, seed=seed, progress=_share(progress, i, len(parts))))

        done.append(run.piece(f"{name}-{i:05d}", make) if run else make())
    joined = {key: torch.cat([piece[key] for piece in done]) for key in done[0]}
    return {**joined, "seconds": joined["seconds"].sum()[None]}


def reference_of(model: DualEncoder, texts: list[str] | None = None, **known: Tensor) -> Reference:
    """What closed-form maps learn from, for a loaded model.

    Args:
        model: the model.
        texts: names of things for maps that learn from words; the model's own list, or common nouns, when None.
        known: `image` or `text` features of the gallery.

    Returns:
        The reference, in main memory.
    """
    words = texts or model.card.notes.get("names") or (files("obvert") / "features" / "nouns.txt").read_text().split()
    named = model.text_features([prompt(word) for word in words]).cpu()
    try:
        projections = tuple(w.cpu() for w in model.projections())
    except ObvertError:
        projections = None
    return Reference(names=named, projections=projections, **known)  # type: ignore[arg-type]


def prompt(name: str) -> str:
    """A name of a thing as a caption."""
    words = name.replace("_", " ").replace("-", " ").strip()
    return f"a photo of {'an' if words[:1].lower() in tuple('aeiou') else 'a'} {words}"


def _tensors(inversion: Inversion) -> dict[str, Tensor]:
    found = inversion.cpu()
    keys = ("features", "x", "error", "steps", "status")
    pieces = {key: getattr(found, key) for key in keys} | {"seconds": torch.tensor([found.seconds], dtype=torch.float64)}
    return pieces | {f"at/{step}": features for step, features in found.snapshot_features.items()}


def _share(progress: Progress | None, part: int, parts: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total, error: progress(part * total + done, parts * total, error)
