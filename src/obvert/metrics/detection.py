"""How well scores tell two sorts apart: area under the ROC curve, true positives at few false ones, best accuracy.

A thing is called positive when its score reaches a threshold. Equal scores fall on the same side of every threshold, so
that the ROC curve is straight across a tie, and counts for one half in the area.

References:
    | An introduction to ROC analysis (Fawcett, 2006)
    | https://doi.org/10.1016/j.patrec.2005.10.010
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Interval = tuple[float, float, float]
"""A value, and the lower and the upper end of its interval."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """What scores achieve, each with its interval."""

    auc: Interval
    """Chance that a positive scores above a negative, ties counting half."""
    tpr: Interval
    """Highest share of positives found by a threshold that no more than the wanted share of negatives reaches."""
    accuracy: Interval
    """Highest mean of the shares of positives and of negatives that are told right, over all thresholds."""


def detection(
    positive: Tensor, negative: Tensor, *, fpr: float = 0.01, seed: int = 0, draws: int = 1000, level: float = 0.95
) -> Detection:
    """Measure scores, with percentile intervals from positives and negatives drawn again, each among its own.

    Args:
        positive: (P,) scores of what should score high; (G, p) where both come from G things, which are then drawn again
            whole, with all their scores of both sorts, since those hang together.
        negative: (N,) or (G, n) scores of what should score low. With fewer than 1 / fpr of them none may be called positive.
        fpr: share of negatives that may be.
        seed: of the draws.
        draws: how often both are drawn again.
        level: share of the drawn values inside the interval, in (0, 1).

    Returns:
        AUC, true positive rate and accuracy.

    Raises:
        ValueError: without scores on both sides, for NaN, or settings out of range.
    """
    shapes = tuple(positive.shape), tuple(negative.shape)
    grouped = positive.ndim == negative.ndim == 2 and len(positive) == len(negative)
    if not (grouped or positive.ndim == negative.ndim == 1) or not positive.numel() or not negative.numel():
        raise ValueError(f"need positive (P,) and negative (N,) scores, or (G, p) and (G, n), got {shapes[0]}, {shapes[1]}")
    if not (0 <= fpr < 1 and draws >= 1 and 0 < level < 1):
        raise ValueError(f"need 0 <= fpr < 1, draws >= 1, 0 < level < 1, got {fpr}, {draws}, {level}")
    both = torch.cat((positive.flatten(), negative.flatten())).detach().cpu().double()
    if bool(both.isnan().any()):
        raise ValueError(f"need scores that are numbers, got {int(both.isnan().sum())} NaN")
    values, place = (-both).unique(return_inverse=True)  # highest score first
    rng = torch.Generator().manual_seed(seed)
    curves, drawn = [], None
    for places, shape in zip(place.split([positive.numel(), negative.numel()]), shapes, strict=True):
        if drawn is None or not grouped:
            drawn = torch.randint(shape[0], (draws, shape[0]), generator=rng)
        again = places.view(shape)[drawn].flatten(1)
        rows = torch.cat((places[None], again))
        counts = torch.zeros(len(rows), len(values) + 1, dtype=torch.float64)
        counts.scatter_add_(1, rows + 1, torch.ones_like(rows, dtype=torch.float64))
        curves.append(counts.cumsum(1))
    area = torch.trapezoid(*curves, dim=1) / (positive.numel() * negative.numel())  # of whole numbers, and thus exact
    found, wrong = curves[0] / positive.numel(), curves[1] / negative.numel()
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)

    def interval(value: Tensor) -> Interval:
        low, high = value[1:].quantile(ends).tolist()
        return value[0].item(), low, high

    return Detection(
        auc=interval(area),
        tpr=interval(found.masked_fill(wrong > fpr + 1e-12, 0.0).amax(1)),
        accuracy=interval(((found + 1 - wrong) / 2).amax(1)),
    )
