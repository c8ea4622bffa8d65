"""How good a ranking is, and how far apart two modalities lie."""

from obvert.metrics.gap import linear_separability, modality_gap
from obvert.metrics.misalignment import anisotropy, triplet_violations, uniformity
from obvert.metrics.retrieval import (
    average_precision,
    average_precision_at_r,
    bootstrap,
    judged_retrieval,
    r_precision,
    recall_at_k,
    retrieval,
)
from obvert.metrics.revisited import revisited, trapezoidal_average_precision

__all__ = [
    "anisotropy",
    "average_precision",
    "average_precision_at_r",
    "bootstrap",
    "judged_retrieval",
    "linear_separability",
    "modality_gap",
    "r_precision",
    "recall_at_k",
    "retrieval",
    "revisited",
    "trapezoidal_average_precision",
    "triplet_violations",
    "uniformity",
]
