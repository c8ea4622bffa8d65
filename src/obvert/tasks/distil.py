"""Distil a method into a learned inverter: invert unlabelled features, fit the network, measure it on pairs held out."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from obvert.core import DualEncoder, FeatureMap, Fitted, Method, Modality, ObvertError, Progress, Reference
from obvert.features.inverter import Inverter
from obvert.provenance import clock
from obvert.store import Run
from obvert.tasks._apply import CROSSING, invert

HELD_OUT = 10
"""One pair in so many is left out of the training and measures it."""


def distil(
    model: DualEncoder,
    features: Tensor,
    method: Method,
    *,
    modality: Modality = "image",
    inverter: FeatureMap | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> tuple[Fitted, dict[str, Any]]:
    """Train an inverter for one modality of a model.

    Args:
        model: whose features they are.
        features: (N, d) native features of things like those to be searched; no labels are needed.
        method: what to distil, e.g. `OTI(steps=17)` for image features or `OVI(steps=100)` for text features.
        modality: of the features.
        inverter: the network and its training; `Inverter()` when None.
        run: where finished pieces are kept.
        seed: of the method's start, which becomes part of what is learned.
        progress: gives a progress callback for a name.

    Returns:
        The fitted map, and a row: pairs, fidelity (mean cosine to the method's features on pairs held out), the same
        for native features, seconds of a query with the method and with the map, and the ratio of both.

    Raises:
        ObvertError: when there are too few features, or some are not finite.
    """
    if len(features) < 2 * HELD_OUT:
        raise ObvertError(f"need at least {2 * HELD_OUT} features to train an inverter, got {len(features)}")
    features = features.cpu()
    name = CROSSING[modality]
    found = invert(method, model, features, name=name, run=run, seed=seed, progress=progress(name.upper()))
    kept = torch.arange(len(features)) % HELD_OUT != 0
    reference = Reference(inverted={modality: found["features"][kept]}, **{modality: features[kept]})  # type: ignore[arg-type]
    fitted = (inverter or Inverter()).fit(reference)
    about = {"model": model.card.name, "sha256": model.card.sha256, "method": {"name": name, **asdict(method), "seed": seed}}  # type: ignore[call-overload]
    fitted = replace(fitted, settings=fitted.settings | about)
    left, wanted = features[~kept], found["features"][~kept]
    slow, fast = found["seconds"].item() / len(features), seconds_per_query(fitted, features, modality)
    return fitted, {
        "task": "distillation",
        "model": model.card.name,
        "features": f"inverter of {name}",
        "pairs": int(kept.sum()),
        "held_out": len(left),
        "fidelity": cosine_similarity(fitted(left, modality), wanted).mean().item(),
        "native_cosine": cosine_similarity(left, wanted).mean().item(),
        "seconds_per_query": fast,
        "method_seconds_per_query": slow,
        "times_faster": slow / fast,
    }


def seconds_per_query(fitted: Fitted, features: Tensor, modality: Modality, repeats: int = 5) -> float:
    """A query's share of applying a map to all features at once: the median of several runs, the first left out."""
    taken = []
    for _ in range(repeats + 1):
        began = clock(features.device)
        fitted(features, modality)
        taken.append((clock(features.device) - began) / len(features))
    return statistics.median(taken[1:])
