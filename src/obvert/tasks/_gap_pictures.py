"""Pictures by picture on the zoo: step sweep and token ablation, every rival published and tuned, fusion, the inverter,
auto, few-shot and zero-shot classification, and the two-class toy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.core import Fitted
from obvert.methods.oti import OTI
from obvert.metrics import triplet_violations
from obvert.report import Curves, Histograms
from obvert.tasks import retrieval
from obvert.tasks._apply import Applied, apply
from obvert.tasks._auto import choose_all
from obvert.tasks._fuse import fuse_features, fuse_scores
from obvert.tasks._gap_world import CURVE, Bench, World, along, peak
from obvert.tasks.classification import classify, prompt
from obvert.tasks.distil import distil, seconds_per_query
from obvert.zoo.exam import HELD_OUT, kind, kinds, pictures
from obvert.zoo.scenes import sample

TOKENS = (1, 2, 4, 8)
"""Numbers of pseudo-tokens that are compared."""
PUBLISHED_LR = 2e-2
"""Step size of OTI."""
SHOTS = (1, 2, 4, 8)
"""Labelled pictures of each class in few-shot classification."""


@dataclass(frozen=True, kw_only=True)
class Swept:
    """OTI along its steps, for each number of tokens."""

    curves: dict[tuple[str, int], tuple[list[float], list[float]]]
    """{(split, tokens): steps and mAP}."""
    at: dict[tuple[str, int], dict[int, Tensor]]
    """{(split, tokens): {step: features}}."""
    seconds: dict[int, float]
    """{tokens: of a query for all steps}."""
    best: dict[int, int]
    """{tokens: the step that validation chooses}."""


def sweep(world: World, bench: Bench, tokens: tuple[int, ...] = TOKENS, lr: float = PUBLISHED_LR) -> Swept:
    """Run OTI on validation and test scenes along all steps."""
    at, curves, seconds = {}, {}, {}
    for split, view in (("validation", world.validation), ("test", world.test)):
        for r in tokens:
            method = OTI(tokens=r, steps=CURVE[-1], snapshots=CURVE, lr=lr)
            key = f"{world.name}-{split}-oti-{r}" + (f"-lr-{lr:g}" if lr != PUBLISHED_LR else "")
            at[split, r], found = along(method, world.model, view.features, key, bench, world.seed)
            curves[split, r] = retrieval.step_curve(at[split, r], view)
            seconds[r] = found["seconds"].item() / len(view.features)
    return Swept(curves=curves, at=at, seconds=seconds, best={r: peak(curves["validation", r]) for r in tokens})


def search(world: World, swept: Swept, bench: Bench) -> tuple[list[dict[str, Any]], Fitted]:
    """Rows of every feature map, as published and with what validation chooses; and the learned inverter."""
    native, last = world.test.features, CURVE[-1]
    plain = Applied(name="native", queries=native, gallery=native, seconds=0.0)
    rows = [world.row("native", native)]
    for r, step in swept.best.items():
        published = f"oti R={r}, {last} steps" if r > 1 else "oti, as published"
        rows.append(world.row(published, swept.at["test", r][last], seconds=swept.seconds[r], steps=float(last)))
        chosen = f"oti R={r}, chosen step"
        rows.append(world.row(chosen, swept.at["test", r][step], seconds=swept.seconds[r] * step / last, steps=float(step)))
    for name in ("isoclip", "text-pca", "mean"):
        applied = _applied(name, world, None)
        rows.append(world.row(f"{name}, as published", applied.queries, applied.gallery, seconds=applied.seconds))

    learned = learn(world, swept, bench)
    applied = _applied("inverter", world, learned)
    rows.append(world.row("inverter", applied.queries, seconds=seconds_per_query(learned, native, "image")))
    choice = choose_all(
        world.model,
        world.validation,
        world.reference,
        settings={"inverter": learned},
        run=bench.run and bench.run.within(world.name),
        seed=world.seed,
        progress=bench.progress,
    )
    for family, (map, weight) in choice.best.items():
        if family == "oti":
            one = Applied(name="oti", queries=swept.at["test", map.tokens][map.steps], gallery=native, seconds=0.0)
        else:
            one = _applied(family, world, map)
            if family != "inverter":
                rows.append(world.row(f"{family}, chosen", one.queries, one.gallery, seconds=one.seconds))
        fused = fuse_scores(plain, one, weight)
        rows.append(world.row(f"native + {family}, scores", fused.queries, fused.gallery, weight=weight))
        fused = fuse_features(plain, one, weight)
        rows.append(world.row(f"native + {family}, features", fused.queries, fused.gallery, weight=weight))
    found = choice.apply(world.model, world.test, world.reference, seed=world.seed)
    rows.append(world.row("auto", found.queries, found.gallery, seconds=found.seconds, chosen=choice.label))
    return rows, learned


def _applied(name: str, world: World, settings: Any) -> Applied:
    f = world.test.features
    return apply(name, world.model, f, f, modality="image", reference=world.reference, settings=settings)


def learn(world: World, swept: Swept, bench: Bench, count: int = 4096) -> Fitted:
    """Distil OTI at the chosen step from scenes that are neither chosen nor tested on."""
    scenes = sample(count, HELD_OUT + 300 + 2 * world.seed, things=1)
    features = world.model.image_features(pictures(scenes)).cpu()
    run = bench.run and bench.run.within(f"{world.name}-inverter")
    fitted, _ = distil(world.model, features, OTI(steps=swept.best[1]), run=run, seed=world.seed, progress=bench.progress)
    return fitted


def recognise(world: World, swept: Swept) -> list[dict[str, Any]]:
    """Zero-shot classification by class names, few-shot by class means of native features; pictures native or inverted."""
    sides = {
        "native": world.test.features,
        "oti, as published": swept.at["test", 1][CURVE[-1]],
        "oti R=1, chosen step": swept.at["test", 1][swept.best[1]],
    }
    rows = []
    for name, features in sides.items():
        (row,) = classify(world.model, features, world.test.labels, kinds(), by=("native",), seed=world.seed)
        rows.append(row | {"features": name, "seed": world.seed})
    scenes = sample(4096, HELD_OUT + 400 + 2 * world.seed, things=1)
    support, labels = world.model.image_features(pictures(scenes)).cpu(), torch.tensor([kind(scene) for scene in scenes])
    for shots in SHOTS:
        means = torch.stack([support[labels == k][:shots].mean(0) for k in range(len(kinds()))])
        for name, features in sides.items():
            right = (features @ normalize(means, dim=1).T).argmax(1) == world.test.labels
            row = {"task": f"few-shot classification, {shots} a class", "model": world.model.card.name, "features": name}
            rows.append(row | {"seed": world.seed, "accuracy": right.double().mean().item(), "queries": len(right)})
    return rows


def toy(world: World, swept: Swept, bench: Bench, one: str = "circle", other: str = "square") -> list[dict[str, Any]]:
    """Two classes that texts tell apart without a mistake: are pictures then told apart by pictures?

    Pictures of two shapes in all colours, of which those are kept that the two names classify rightly.

    Args:
        world: the model and its seed.
        swept: its chosen step.
        bench: where it runs.
        one: a shape.
        other: another.

    Returns:
        Rows with the seed; "kept" is the share of pictures classified rightly, "violations" the share of triplets in the
        wrong order.
    """
    drawn = sample(16 * bench.pictures, HELD_OUT + 500 + 2 * world.seed, things=1)
    scenes = [scene for scene in drawn if scene.things[0].shape in (one, other)][: bench.pictures]
    features = world.model.image_features(pictures(scenes)).cpu()
    labels = torch.tensor([int(scene.things[0].shape == other) for scene in scenes])
    names = world.model.text_features([prompt(one), prompt(other)]).cpu()
    kept = (features @ names.T).argmax(1) == labels
    view = retrieval.all_against_all(features[kept], labels[kept])
    step = swept.best[1]
    at, _ = along(
        OTI(steps=CURVE[-1], snapshots=(step, CURVE[-1])), world.model, view.features, f"{world.name}-toy", bench, world.seed
    )
    rows = []
    for name, queries in {"native": view.features, "oti, as published": at[CURVE[-1]], "oti R=1, chosen step": at[step]}.items():
        applied = Applied(name=name, queries=queries, gallery=view.features, seconds=0.0)
        row = retrieval.judge(applied, view, task="two classes that texts tell apart", model=world.model.card.name).row
        rows.append(row | {"seed": world.seed, "kept": float(kept.double().mean())})
    rows[0]["violations"] = triplet_violations(view.features, view.labels).nanmean().item()
    return rows


def curve_blocks(world: World, swept: Swept) -> list[Curves | Histograms]:
    """The step curves by tokens, and the similarities at chosen steps, of one seed."""
    native = retrieval.judge(
        Applied(name="", queries=world.test.features, gallery=world.test.features, seconds=0.0), world.test, task="", model=""
    ).row["map"]
    series = {f"R = {r}": swept.curves["test", r] for r in swept.best}
    chosen = ", ".join(f"{step} steps for R = {r}" for r, step in swept.best.items())
    note = f"Test scenes of seed {world.seed}. Validation chooses {chosen}."
    at = swept.at["test", 1]
    draw = torch.Generator().manual_seed(world.seed)
    pairs = torch.randint(len(world.test.labels), (2, 4000), generator=draw)

    def cosines(left: Tensor) -> list[float]:
        return (left[pairs[0]] * world.test.features[pairs[1]]).sum(1).tolist()

    shown = sorted({2, swept.best[1], CURVE[-1]})
    return [
        retrieval.curves(series, native, "The step curve of OTI, by pseudo-tokens", note),
        Histograms(
            title="How similar random pairs are, along the steps",
            x_label="cosine",
            series={
                "image–image": cosines(world.test.features),
                "text–image": cosines(world.texts),
                **{f"OTI, {step} steps–image": cosines(at[step]) for step in shown},
            },
            note="The paper's picture: inverted queries move to where texts lie, far from images, in a narrower band.",
        ),
    ]
