"""Counter-evidence: signs of intra-modal misalignment in a model, and in features that never saw a text.

The control encodes the same scenes by their main components of raw pixels, and by the same image tower before any
training. Where these show the signs as well, the signs do not prove that pairs of modalities cause them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from obvert.metrics import anisotropy, linear_separability, modality_gap, triplet_violations, uniformity
from obvert.tasks import retrieval
from obvert.tasks._apply import Applied, prompt
from obvert.tasks._gap_world import World
from obvert.zoo.exam import kinds, pictures

TASK = "signs of misalignment"


def signs(features: Tensor, labels: Tensor) -> dict[str, float]:
    """Indicators of a labelled set of features, images or anything else.

    Args:
        features: (N, d) unit norm.
        labels: (N,) classes.

    Returns:
        map (all against all), violations, anisotropy, uniformity.
    """
    view = retrieval.all_against_all(features, labels)
    applied = Applied(name="", queries=features, gallery=features, seconds=0.0)
    return {
        "map": retrieval.judge(applied, view, task="", model="").row["map"],
        "violations": triplet_violations(features, labels).nanmean().item(),
        "anisotropy": anisotropy(features),
        "uniformity": uniformity(features),
    }


def indicators(world: World) -> list[dict[str, Any]]:
    """Rows of a model and of its two image-only controls on the test scenes of a world."""
    labels, shown = world.test.labels, torch.stack(pictures(world.scenes))
    names = world.model.text_features([prompt(name) for name in kinds()]).cpu()
    features = world.test.features
    matching = (features * names[labels]).sum(1)
    others = (features @ features.T)[labels[:, None] != labels[None]]
    model = signs(features, labels) | {
        "gap": modality_gap(features, names),
        "separability": linear_separability(features, names),
        "unrelated pictures closer than the right name": (others[None] > matching.median()).double().mean().item(),
    }
    rows = {world.model.card.name: model, "pixels, no training": signs(pixels(shown), labels)}
    tower = untrained(world.model.card.notes.get("recipe"), shown)
    if tower is not None:
        rows["its image tower before training"] = signs(tower, labels)
    about = {"task": TASK, "model": world.model.card.name, "seed": world.seed}
    return [about | {"features": name} | values for name, values in rows.items()]


def pixels(shown: Tensor, components: int = 64) -> Tensor:
    """Main components of raw pixels at a quarter of the size: (N, 64) unit norm."""
    flat = interpolate(shown, scale_factor=0.25, mode="bilinear", antialias=True).flatten(1)
    centred = flat - flat.mean(0)
    _, _, directions = torch.linalg.svd(centred.double(), full_matrices=False)
    return normalize(centred @ directions[:components].T.float(), dim=1)


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
