"""How good a ranking is, and how far apart two modalities lie."""

from obvert.metrics.gap import linear_separability, modality_gap
from obvert.metrics.misalignment import anisotropy, triplet_violations, uniformity
from obvert.metrics.retrieval import average_precision, average_precision_at_r, bootstrap, r_precision, recall_at_k, retrieval

__all__ = [
    "anisotropy",
    "average_precision",
    "average_precision_at_r",
    "bootstrap",
    "linear_separability",
    "modality_gap",
    "r_precision",
    "recall_at_k",
    "retrieval",
    "triplet_violations",
    "uniformity",
]
