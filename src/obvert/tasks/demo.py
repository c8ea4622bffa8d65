"""The main job on the embedded zoo, from end to end: the gap, OTI and OVI, the closed-form rivals, and what holds here.

Everything that is chosen is chosen on validation scenes; tests are other scenes. What the paper reports is stated
beside what was found, whichever way it falls.

References:
    | Cross the Gap (Mistretta et al., 2025), https://arxiv.org/abs/2502.04263
    | Reevaluating the intra-modal misalignment hypothesis (Herzog and Wang, 2026), https://arxiv.org/abs/2603.16100
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from obvert.core import DualEncoder, FeatureMap, Progress
from obvert.hub import zoo
from obvert.methods.oti import OTI
from obvert.methods.ovi import OVI
from obvert.metrics import linear_separability, modality_gap
from obvert.models import load_dual
from obvert.report import Block, Report, Table, Text
from obvert.solvers.plateau import Plateau
from obvert.store import Run
from obvert.tasks import classification, retrieval
from obvert.tasks._apply import Applied, apply, invert, reference_of
from obvert.tasks._choose import choose
from obvert.tasks._findings import difference, findings
from obvert.tasks.search import NOTE, meta
from obvert.zoo.exam import HELD_OUT, kind, kinds, pictures
from obvert.zoo.scenes import Scene, caption, sample, sample_mention

VALIDATION, TEST = HELD_OUT + 200, HELD_OUT + 201
"""Seeds of the demo's scenes."""
CURVE = (0, 2, 4, 7, 10, 14, 17, 20, 25, 30, 40, 50, 75, 100, 150)
"""Steps at which the step curve is measured."""
TOKENS = (1, 4)
"""Numbers of pseudo-tokens R that are compared."""
Watch = Callable[[str], Progress | None]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much the demo does."""

    pictures: int = 384
    """Test pictures; as many for validation."""
    captions: int = 48
    """Scenes with four captions each for the search of texts."""
    ovi_steps: int = 100
    """Steps of OVI; published are 1000, which takes minutes on a laptop."""

    def __post_init__(self) -> None:
        if self.pictures < 128 or self.captions < 2 or self.ovi_steps < 0:
            raise ValueError(f"need 128 pictures or more of the 64 kinds, 2 captions or more, ovi_steps >= 0, got {self}")


def demonstrate(
    name: str = "zoo/clip",
    *,
    size: Size | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Watch = lambda name: None,
) -> Report:
    """Run the demo.

    Args:
        name: a dual encoder of the zoo.
        size: how much to do.
        run: where finished pieces are kept.
        seed: of methods and intervals.
        progress: gives a progress callback for a name.

    Returns:
        The report.
    """
    size = size or Size()
    model = load_dual(name)
    scenes = {split: sample(size.pictures, where, things=1) for split, where in (("validation", VALIDATION), ("test", TEST))}
    views = {split: retrieval.all_against_all(model.image_features(pictures(s)).cpu(), _labels(s)) for split, s in scenes.items()}
    test = views["test"]
    reference = reference_of(model, image=test.features)
    texts = model.text_features(
        [caption(s, sample_mention(np.random.default_rng([seed, i]))) for i, s in enumerate(scenes["test"])]
    ).cpu()

    found = {}
    for split, view in views.items():
        for tokens in TOKENS:
            key = f"{split}-oti-{tokens}"
            method = OTI(tokens=tokens, snapshots=CURVE)
            found[split, tokens] = invert(
                method, model, view.features, name=key, run=run, seed=seed, progress=progress(f"OTI R={tokens}")
            )
    curves = {(split, r): retrieval.step_curve(_at(found[split, r]), views[split]) for split, r in found}
    chosen = {r: _peak(curves["validation", r]) for r in TOKENS}
    bands = ["isoclip"] if reference.projections else []
    outcomes = retrieval.compare(model, test, ["native", *bands, "text-pca", "mean"], reference, task="image-to-image", seed=seed)
    before = reference_of(model, image=views["validation"].features)
    tuned = []
    for rival in (*bands, "text-pca"):
        map = choose(rival, views["validation"], before)
        applied = apply(rival, model, test.features, test.features, modality="image", reference=reference, settings=map)
        tuned.append(label := f"{rival}, {_settings(map)}")
        outcomes.append(retrieval.judge(replace(applied, name=label), test, task="image-to-image", model=name, seed=seed))
    variants = {"oti": (found["test", 1]["features"], 150.0, 1.0)}
    for r in TOKENS:
        variants[f"oti R={r}, {chosen[r]} steps"] = (found["test", r][f"at/{chosen[r]}"], float(chosen[r]), chosen[r] / 150)
    stopped = invert(
        OTI(tokens=4, stop=Plateau()),
        model,
        test.features,
        name="oti-plateau",
        run=run,
        seed=seed,
        progress=progress("OTI plateau"),
    )
    variants["oti R=4, per-sample stop"] = (stopped["features"], stopped["steps"].double().mean().item(), 1.0)
    for label, (features, steps, share) in variants.items():
        spent = stopped if "stop" in label else found["test", 4 if "R=4" in label else 1]
        seconds = spent["seconds"].item() * share / len(features)
        applied = Applied(
            name=label, queries=features, gallery=test.features, seconds=seconds, steps=torch.full((len(features),), steps)
        )
        outcomes.append(retrieval.judge(applied, test, task="image-to-image", model=name, seed=seed))

    by_class = classification.classify(
        model, test.features, test.labels, kinds(), inverted=found["test", 1]["features"], seed=seed
    )
    written, words = _texts(model, size, run, seed, progress)
    twins = [_twin(name, model, test, native=outcomes[0], found=found["test", 1]["features"])]
    if (other := "zoo/clip-smallgap") in zoo() and name != other:
        twins.append(_twin(other, None, test, scenes=scenes["test"], seed=seed))

    native = outcomes[0].row["map"]
    said = findings(model, test, texts, outcomes, curves, chosen, tuned, by_class, found)
    for twin in twins[1:]:
        said.append(
            f"{twin['model']}, whose gap is {twin['gap']:.2f}: native {twin['native mAP']:.3f}, OTI as published "
            f"{twin['OTI mAP']:.3f}, difference {twin['difference']}. The paper expects less gain where the gap is smaller."
        )
    tiles = pictures(scenes["test"])
    shown = [o for o in outcomes if o.applied.name in ("native", "oti", f"oti R=1, {chosen[1]} steps", *tuned)]
    blocks: list[Block] = [
        Text(title="What holds here", lines=said),
        retrieval.table(
            outcomes,
            f"Pictures by picture: {size.pictures} scenes of 64 kinds",
            f"{NOTE} Rows that name a setting have it from validation scenes. text-pca learns from the names of the 64 kinds.",
        ),
        retrieval.curves(
            {f"R = {r}, {split}": curves[split, r] for split, r in curves},
            native,
            "The step curve of OTI",
            "Dashed: native features on the test scenes. The step is chosen on the validation scenes.",
        ),
        retrieval.similarities([o for o in shown if o.applied.name in ("native", "oti")], test, texts, seed=seed),
        retrieval.examples(shown, test, lambda i: tiles[i], lambda i: kinds()[int(test.labels[i])]),
        classification.table(
            by_class, note="Comparing pictures with class names is inter-modal already: inverting one side should lower it."
        ),
        retrieval.table(
            written,
            f"Texts by text: {size.captions} scenes, four partial captions each",
            f"OVI with {size.ovi_steps} steps. {NOTE}",
        ),
        retrieval.examples(written, words[0], lambda i: words[1][i], lambda i: "", count=3, top=3),
    ]
    if len(twins) > 1:
        blocks.append(
            Table(title="The twin whose gap is small", rows=twins, note="Same data and seed; only the temperature is learned.")
        )
    return Report(
        title="obvert: the main job on the embedded zoo",
        lead=said[0],
        blocks=blocks,
        rows=[o.row for o in (*outcomes, *written)] + by_class,
        meta=meta(model, seed) | {"scenes": vars(size), "chosen_steps": {str(r): s for r, s in chosen.items()}, "twins": twins},
    )


def _texts(
    model: DualEncoder, size: Size, run: Run | None, seed: int, progress: Watch
) -> tuple[list[retrieval.Outcome], tuple[retrieval.Collection, list[str]]]:
    """Text-to-text retrieval: four partial captions of each scene."""
    scenes = sample(size.captions, TEST + 2)
    rng = np.random.default_rng([seed, 4])
    texts = [caption(scene, sample_mention(rng)) for scene in scenes for _ in range(4)]
    features = model.text_features(texts).cpu()
    words = retrieval.first_against_rest(features, torch.arange(size.captions).repeat_interleave(4))
    reference = reference_of(model, text=features)
    outcomes = retrieval.compare(
        model,
        words,
        ["native", "ovi", *(["isoclip"] if reference.projections else []), "text-pca", "mean"],
        reference,
        task="text-to-text",
        settings={"ovi": OVI(steps=size.ovi_steps)},
        run=run,
        seed=seed,
        progress=progress,
    )
    return outcomes, (words, texts)


def _twin(
    name: str,
    model: DualEncoder | None,
    test: retrieval.Collection,
    *,
    native: retrieval.Outcome | None = None,
    found: Tensor | None = None,
    scenes: list[Scene] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Gap, and OTI against native, of one model."""
    model = model or load_dual(name)
    view = test if scenes is None else retrieval.all_against_all(model.image_features(pictures(scenes)).cpu(), test.labels)
    inverted = invert(OTI(), model, view.features, name="twin", seed=seed)["features"] if found is None else found

    def score(queries: Tensor) -> Tensor:
        return retrieval.judge(
            Applied(name="", queries=queries, gallery=view.features, seconds=0.0), view, task="", model=name
        ).scores["map"]

    before, after = native.scores["map"] if native else score(view.features), score(inverted)
    texts = model.text_features([classification.prompt(k) for k in kinds()]).cpu()
    return {
        "model": name,
        "gap": modality_gap(view.features, texts),
        "separability": linear_separability(view.features, texts),
        "native mAP": before.nanmean().item(),
        "OTI mAP": after.nanmean().item(),
        "difference": difference(after, before),
    }


def _settings(map: FeatureMap) -> str:
    return ", ".join(f"{key} {value}" for key, value in vars(map).items() if value is not None) or "as published"


def _labels(scenes: list[Scene]) -> Tensor:
    return torch.tensor([kind(scene) for scene in scenes])


def _at(found: dict[str, Tensor]) -> dict[int, Tensor]:
    return {int(key.removeprefix("at/")): value for key, value in found.items() if key.startswith("at/")}


def _peak(curve: tuple[list[float], list[float]]) -> int:
    steps, values = curve
    return int(steps[values.index(max(values))])
