"""What the experiments of Cross the Gap share on the zoo: scenes of a seed, split for choosing and for testing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from obvert.core import DualEncoder, Progress, Reference
from obvert.store import Run
from obvert.tasks import retrieval
from obvert.tasks._apply import Applied, invert, reference_of
from obvert.zoo.exam import HELD_OUT, kind, pictures
from obvert.zoo.scenes import Scene, caption, sample, sample_mention

FIRST = HELD_OUT + 2000
"""Seeds of the scenes: even ones to choose on, odd ones to test on."""
CURVE = (0, 2, 4, 7, 10, 14, 17, 20, 25, 30, 40, 50, 75, 100, 150)
"""Steps of OTI that are looked at."""
Watch = Callable[[str], Progress | None]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where experiments run: how much, what is kept, who watches."""

    pictures: int
    """Scenes to test on; as many to choose on."""
    seeds: int
    run: Run | None
    progress: Watch


@dataclass(frozen=True, kw_only=True)
class World:
    """One seed's scenes seen by one model."""

    model: DualEncoder
    seed: int
    scenes: list[Scene]
    """Of the test."""
    validation: retrieval.Collection
    test: retrieval.Collection
    reference: Reference
    """Of the validation scenes: the test is left alone."""
    texts: Tensor
    """(N, d) partial captions of the test scenes."""

    @property
    def name(self) -> str:
        """For pieces that are kept."""
        return f"{self.model.card.name.rsplit('/', 1)[-1]}-{self.seed}"

    def row(self, features: str, queries: Tensor, gallery: Tensor | None = None, **more: Any) -> dict[str, Any]:
        """Measures of image-to-image retrieval with these features."""
        native = self.test.features
        applied = Applied(
            name=features, queries=queries, gallery=native if gallery is None else gallery, seconds=more.pop("seconds", 0.0)
        )
        row = retrieval.judge(applied, self.test, task="image-to-image", model=self.model.card.name).row
        return row | {"seed": self.seed} | more


def see(model: DualEncoder, seed: int, count: int) -> World:
    """Draw a seed's scenes and encode them."""
    views, scenes = [], []
    for offset in (0, 1):
        scenes = sample(count, FIRST + 2 * seed + offset, things=1)
        labels = torch.tensor([kind(scene) for scene in scenes])
        views.append(retrieval.all_against_all(model.image_features(pictures(scenes)).cpu(), labels))
    rng = np.random.default_rng([seed, 7])
    texts = model.text_features([caption(scene, sample_mention(rng)) for scene in scenes]).cpu()
    return World(
        model=model,
        seed=seed,
        scenes=scenes,
        validation=views[0],
        test=views[1],
        reference=reference_of(model, image=views[0].features),
        texts=texts,
    )


def along(
    method: Any, model: DualEncoder, target: Tensor, name: str, bench: Bench, seed: int
) -> tuple[dict[int, Tensor], dict[str, Tensor]]:
    """A method along its snapshots: {step: features}, and all that was found."""
    found = invert(method, model, target, name=name, run=bench.run, seed=seed, progress=bench.progress(name))
    return {int(key.removeprefix("at/")): value for key, value in found.items() if key.startswith("at/")}, found


def peak(curve: tuple[list[float], list[float]]) -> int:
    """The step at which a curve is highest; the first of equals."""
    steps, values = curve
    return int(steps[values.index(max(values))])
