"""Texts by text on the zoo: OVI along its steps, by pseudo-patches, beside the closed-form maps and a learned inverter."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from obvert.core import Fitted
from obvert.methods.ovi import OVI
from obvert.tasks import retrieval
from obvert.tasks._apply import Applied, apply, reference_of
from obvert.tasks._gap_world import FIRST, Bench, World, along, peak
from obvert.tasks.distil import distil, seconds_per_query
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.scenes import caption, sample, sample_mention

PATCHES = (1, 4, 16)
"""Numbers of pseudo-patches that are compared."""
CURVE = (0, 5, 10, 25, 50, 100, 200)
"""Steps of OVI that are looked at; the published 1000 take minutes on a laptop."""
TASK = "text-to-text"


def captions(count: int, seed: int) -> list[str]:
    """Four partial captions of each of so many scenes, one after the other."""
    rng = np.random.default_rng([seed, 4])
    return [caption(scene, sample_mention(rng)) for scene in sample(count, seed) for _ in range(4)]


def texts(
    world: World, bench: Bench, patches: tuple[int, ...] = PATCHES
) -> tuple[list[dict[str, Any]], dict[str, tuple[list[float], list[float]]]]:
    """Rows of text-to-text retrieval, and the step curves by patches.

    Args:
        world: the model and its seed.
        bench: where it runs; a sixth as many scenes as pictures are searched.
        patches: numbers of pseudo-patches.

    Returns:
        Rows with the seed, and {name: steps and mAP} on the test captions.
    """
    model, count = world.model, max(16, bench.pictures // 6)
    views = {}
    for offset, split in ((0, "validation"), (1, "test")):
        features = model.text_features(captions(count, FIRST + 500 + 2 * world.seed + offset)).cpu()
        views[split] = retrieval.first_against_rest(features, torch.arange(count).repeat_interleave(4))
    test = views["test"]
    queries, gallery = test.features[test.query_rows], test.features[test.gallery_rows]

    def row(name: str, mapped: Tensor, searched: Tensor = gallery, **more: Any) -> dict[str, Any]:
        applied = Applied(name=name, queries=mapped, gallery=searched, seconds=more.pop("seconds", 0.0))
        return retrieval.judge(applied, test, task=TASK, model=model.card.name).row | {"seed": world.seed} | more

    rows, curves, best = [row("native", queries)], {}, {}
    for p in patches:
        at, seconds = {}, 0.0
        for split, view in views.items():
            method = OVI(patches=p, steps=CURVE[-1], snapshots=CURVE)
            asked = view.features[view.query_rows]
            at[split], found = along(method, model, asked, f"{world.name}-{split}-ovi-{p}", bench, world.seed)
            seconds = found["seconds"].item() / len(asked)
        best[p] = peak(retrieval.step_curve(at["validation"], views["validation"]))
        curves[f"P = {p}"] = retrieval.step_curve(at["test"], test)
        last = CURVE[-1]
        rows.append(row(f"ovi P={p}, {last} steps", at["test"][last], seconds=seconds, steps=float(last)))
        rows.append(row(f"ovi P={p}, chosen step", at["test"][best[p]], seconds=seconds * best[p] / last, steps=float(best[p])))
    reference = reference_of(model, text=views["validation"].features)
    for name in ("isoclip", "text-pca", "mean"):
        applied = apply(name, model, queries, gallery, modality="text", reference=reference)
        rows.append(row(f"{name}, as published", applied.queries, applied.gallery, seconds=applied.seconds))
    if steps := best[patches[0]]:
        learned = learn(world, OVI(patches=patches[0], steps=steps), bench)
        rows.append(row("inverter", learned(queries, "text"), seconds=seconds_per_query(learned, queries, "text")))
    return rows, curves


def learn(world: World, method: OVI, bench: Bench, scenes: int = 128) -> Fitted:
    """Distil OVI from captions of scenes that are neither chosen nor tested on."""
    features = world.model.text_features(captions(scenes, HELD_OUT + 600 + 2 * world.seed)).cpu()
    run = bench.run and bench.run.within(f"{world.name}-inverter")
    fitted, _ = distil(world.model, features, method, modality="text", run=run, seed=world.seed, progress=bench.progress)
    return fitted
