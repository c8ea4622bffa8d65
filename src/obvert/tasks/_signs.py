"""Counter-evidence: signs of intra-modal misalignment in a model, and in features of the same pictures that never saw a text.

Where image-only features show the signs as well, the signs do not prove that training on pairs of modalities causes them.

References:
    | Reevaluating the intra-modal misalignment hypothesis (Herzog and Wang, 2026), https://arxiv.org/abs/2603.16100
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from obvert.metrics import anisotropy, linear_separability, modality_gap, triplet_violations, uniformity
from obvert.report import Table
from obvert.tasks import retrieval
from obvert.tasks._apply import Applied

TASK = "signs of misalignment"
UNRELATED = "unrelated pictures closer than the right name"
COLUMNS = ("map", "violations", "anisotropy", "uniformity", "gap", UNRELATED)
NOTE = (
    "The hypothesis is that image features are misaligned among themselves because training compared pictures with texts only. A "
    "re-evaluation of 2026 found a projection on the main directions of text to beat inversion, and the signs of misalignment in "
    "image-only models too. Violations: how often a picture of another class is more similar than one of the same. Anisotropy: "
    "mean cosine of two pictures. Uniformity: lower is more even. Where raw pixels show the signs as well, they are no proof of "
    "the hypothesis."
)
MOST = 512
"""Pictures looked at."""


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


def crossing(features: Tensor, labels: Tensor, names: Tensor) -> dict[str, float]:
    """Indicators that need texts: the gap, its separability, and pictures of other classes closer than the own name.

    Args:
        features: (N, d) unit norm, of pictures.
        labels: (N,) row of `names`.
        names: (K, d) unit norm, of class names.

    Returns:
        The gap, separability, and the share of pairs of pictures of different classes whose cosine is above the median
        cosine of a picture with its own class name.
    """
    matching = (features * names[labels]).sum(1)
    others = (features @ features.T)[labels[:, None] != labels[None]]
    return {
        "gap": modality_gap(features, names),
        "separability": linear_separability(features, names),
        UNRELATED: (others > matching.median()).double().mean().item(),
    }


def pixels(shown: list[Tensor], components: int = 64) -> Tensor:
    """Main components of raw pixels of pictures (3, H, W), each made 16 by 16: (N, 64 at most) unit norm."""
    small = [interpolate(picture[None], size=(16, 16), mode="bilinear", antialias=True) for picture in shown]
    flat = torch.cat(small).flatten(1)
    centred = flat - flat.mean(0)
    _, _, directions = torch.linalg.svd(centred.double(), full_matrices=False)
    return normalize(centred @ directions[:components].T.float(), dim=1)


def counter_evidence(
    model: str, features: Tensor, labels: Tensor, names: Tensor, show: Callable[[int], Tensor], *, seed: int = 0
) -> Table:
    """The signs in a model's features and in raw pixels of the same pictures.

    Args:
        model: its name.
        features: (N, d) unit norm, of pictures.
        labels: (N,) row of `names`.
        names: (K, d) unit norm, of class names.
        show: row -> picture (3, H, W).
        seed: of the draw of pictures when there are more than `MOST`.

    Returns:
        The table, its rows fit for a report.
    """
    draw = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:MOST].sort().values
    few, kinds = features[draw], labels[draw]
    found = {
        model: signs(few, kinds) | crossing(few, kinds, names),
        "pixels, no training": signs(pixels([show(int(i)) for i in draw]), kinds),
    }
    rows = [{"task": TASK, "model": model, "features": name} | values for name, values in found.items()]
    return Table(title="Counter-evidence", rows=rows, columns=["features", *COLUMNS], note=NOTE)
