"""The same question to other models: every dual encoder of the zoo, and zoo/clip trained on at two temperatures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from obvert.core import DualEncoder
from obvert.hub import duals
from obvert.metrics import linear_separability, modality_gap
from obvert.models import load_dual
from obvert.tasks._apply import prompt
from obvert.tasks._gap_pictures import sweep
from obvert.tasks._gap_world import CURVE, Bench, see
from obvert.zoo.exam import kinds
from obvert.zoo.temperature import TemperatureRecipe

TEMPERATURES = (1.0, 0.01)
"""At which zoo/clip is trained on, as published."""


def others() -> dict[str, Callable[[], DualEncoder]]:
    """The embedded dual encoders beside zoo/clip."""

    def opener(name: str) -> Callable[[], DualEncoder]:
        return lambda: load_dual(name)

    return {name: opener(name) for name in duals() if name != "zoo/clip"}


def trained_on(folder: Path, bench: Bench, steps: int) -> dict[str, Callable[[], DualEncoder]]:
    """zoo/clip trained on at each temperature; what is trained lies in the folder and is not trained again."""

    def opener(temperature: float) -> Callable[[], DualEncoder]:
        def make() -> DualEncoder:
            place = folder / f"clip-tau-{temperature:g}"
            if not (place / "card.json").exists():
                recipe = TemperatureRecipe(temperature=temperature, steps=steps)
                model, minutes = recipe.train(folder / f"{place.name}.training", bench.progress(f"tau {temperature:g}"))
                place.mkdir(parents=True, exist_ok=True)
                recipe.export(model, place, minutes)
            return load_dual(str(place))

        return make

    return {f"zoo/clip trained on at tau = {t:g}": opener(t) for t in TEMPERATURES}


def compare_models(models: dict[str, Callable[[], DualEncoder]], bench: Bench) -> list[dict[str, Any]]:
    """Gap, native and OTI retrieval of each model, a row for each seed and feature map."""
    rows = []
    for label, opener in models.items():
        model = opener()
        names = model.text_features([prompt(name) for name in kinds()]).cpu()
        for seed in range(bench.seeds):
            world = see(model, seed, bench.pictures)
            swept = sweep(world, bench, tokens=(1,))
            about = {"task": "image-to-image", "model": label}
            gap = {
                "gap": modality_gap(world.test.features, names),
                "separability": linear_separability(world.test.features, names),
            }
            right = (world.test.features @ names.T).argmax(1) == world.test.labels
            gap["zero_shot"] = right.double().mean().item()
            rows.append(world.row("native", world.test.features) | gap | about)
            rows.append(world.row("oti, as published", swept.at["test", 1][CURVE[-1]], steps=float(CURVE[-1])) | about)
            best = swept.best[1]
            rows.append(world.row("oti R=1, chosen step", swept.at["test", 1][best], steps=float(best)) | about)
    return rows
