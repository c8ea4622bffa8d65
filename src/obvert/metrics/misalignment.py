"""What is read as intra-modal misalignment, as numbers that any set of features has, an image-only model's too.

That a picture lies closer to one of another class than to one of its own is taken as a sign that training on pairs of
modalities leaves similarities within one uncalibrated. The same signs in features that never saw a text speak against
that reading, so they are to be computed for such a control as well.

References:
    | Cross the Gap (Mistretta et al., 2025), https://arxiv.org/abs/2502.04263
    | Reevaluating the intra-modal misalignment hypothesis (Herzog and Wang, 2026), https://arxiv.org/abs/2603.16100
    | Understanding Contrastive Representation Learning through Alignment and Uniformity (Wang and Isola, 2020)
    | https://arxiv.org/abs/2005.10242
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def triplet_violations(features: Tensor, labels: Tensor) -> Tensor:
    """How often something of another class is more similar than something of one's own.

    Args:
        features: (N, d) of any length.
        labels: (N,) classes.

    Returns:
        (N,) for each anchor the share of pairs (one of its class, one of another) in the wrong order, ties half: 0 is
        perfect, 0.5 is chance; NaN where its class has no other member or there is no other class.
    """
    unit = normalize(features.double(), dim=1)
    found = torch.full((len(unit),), torch.nan, dtype=torch.float64)
    for row, (f, label) in enumerate(zip(unit, labels, strict=True)):
        scores = unit @ f
        same = labels == label
        other = scores[~same].sort().values
        same[row] = False
        own = scores[same]
        if len(own) and len(other):
            below, upto = torch.searchsorted(other, own), torch.searchsorted(other, own, right=True)
            found[row] = (len(other) - (below + upto).double() / 2).mean() / len(other)
    return found


def anisotropy(features: Tensor) -> float:
    """Mean cosine of two different rows: 0 where features point everywhere, 1 where all point one way.

    Args:
        features: (N, d) of any length, N >= 2.
    """
    unit = normalize(features.double(), dim=1)
    n = len(unit)
    return ((unit.sum(0).square().sum() - n) / (n * (n - 1))).item()


def uniformity(features: Tensor, *, chunk: int = 2048) -> float:
    """log E exp(-2 |x - y|^2) over pairs of different unit rows: the lower, the more evenly they fill the sphere.

    Args:
        features: (N, d) of any length, N >= 2.
        chunk: rows compared at once.
    """
    unit = normalize(features.double(), dim=1)
    n = len(unit)
    total = sum(torch.exp(4 * (part @ unit.T) - 4).sum().item() for part in unit.split(chunk))
    return float(torch.log(torch.tensor((total - n) / (n * (n - 1)), dtype=torch.float64)))
