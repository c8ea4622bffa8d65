"""Counter-evidence: signs of intra-modal misalignment in a model, and in features that never saw a text.

The control encodes the same scenes by their main components of raw pixels, and by the same image tower before any
training. Where these show the signs as well, the signs do not prove that pairs of modalities cause them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.tasks._apply import prompt
from obvert.tasks._gap_world import World
from obvert.tasks._signs import TASK, crossing, pixels, signs
from obvert.zoo.exam import kinds, pictures


def indicators(world: World) -> list[dict[str, Any]]:
    """Rows of a model and of its two image-only controls on the test scenes of a world."""
    labels, shown = world.test.labels, pictures(world.scenes)
    names = world.model.text_features([prompt(name) for name in kinds()]).cpu()
    features = world.test.features
    model = signs(features, labels) | crossing(features, labels, names)
    rows = {world.model.card.name: model, "pixels, no training": signs(pixels(shown), labels)}
    tower = untrained(world.model.card.notes.get("recipe"), torch.stack(shown))
    if tower is not None:
        rows["its image tower before training"] = signs(tower, labels)
    about = {"task": TASK, "model": world.model.card.name, "seed": world.seed}
    return [about | {"features": name} | values for name, values in rows.items()]


@torch.no_grad()
def untrained(recipe: Any, shown: Tensor) -> Tensor | None:
    """Features of a zoo CLIP's image tower at random weights; None for models of other makers."""
    if not recipe or "learned_temperature" not in recipe:
        return None
    from obvert.zoo.clip import build

    torch.manual_seed(int(recipe["seed"]) + 1)
    model = build(logit_scale=1.0).eval()
    found = [model.get_image_features(pixel_values=part * 2 - 1).pooler_output for part in shown.split(64)]
    return normalize(torch.cat(found), dim=1)
