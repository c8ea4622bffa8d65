"""Fusion of two feature maps, by scores or by features.

Scores: (1 - w) <q1, g1> + w <q2, g2>, which is one inner product of features laid side by side, each weighted by its root:
no second index is needed. Features: normalise((1 - w) f1 + w f2) on either side. Where both maps leave the gallery as it
is, as OTI and native features do, the two rank every gallery alike: they differ by the length of the fused query alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.core import ObvertError
from obvert.tasks._apply import Applied

WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Weights worth trying on a validation split."""


def fuse_scores(one: Applied, other: Applied, weight: float, name: str = "") -> Applied:
    """Weighted sum of two maps' similarities.

    Args:
        one: a map, applied.
        other: another on the same queries and gallery.
        weight: of the other, 0 to 1.
        name: of the result.

    Returns:
        Unit-norm features of both lengths together.
    """
    return _fused(one, other, weight, name, lambda a, b: torch.cat([(1 - weight) ** 0.5 * a, weight**0.5 * b], dim=1))


def fuse_features(one: Applied, other: Applied, weight: float, name: str = "") -> Applied:
    """Weighted sum of two maps' features, normalised.

    Args:
        one: a map, applied.
        other: another on the same queries and gallery, with features as long.
        weight: of the other, 0 to 1.
        name: of the result.

    Returns:
        Unit-norm features.
    """
    return _fused(one, other, weight, name, lambda a, b: normalize((1 - weight) * a + weight * b, dim=1))


def _fused(one: Applied, other: Applied, weight: float, name: str, join: Callable[[Tensor, Tensor], Tensor]) -> Applied:
    if not 0 <= weight <= 1:
        raise ObvertError(f"need a fusion weight from 0 to 1, got {weight}")
    return Applied(
        name=name or f"{one.name} + {weight:g} {other.name}",
        queries=join(one.queries, other.queries),
        gallery=join(one.gallery, other.gallery),
        seconds=one.seconds + other.seconds,
        steps=other.steps,
    )
