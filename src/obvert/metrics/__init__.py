"""How good a ranking is, how far apart two modalities lie, how near found latents are to the true ones."""

from obvert.metrics.detection import Detection, detection
from obvert.metrics.gap import linear_separability, modality_gap
from obvert.metrics.iteration import cocoercivity, local_spectrum
from obvert.metrics.latents import nmse_db, residual_db
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
    "Detection",
    "anisotropy",
    "average_precision",
    "average_precision_at_r",
    "bootstrap",
    "cocoercivity",
    "detection",
    "judged_retrieval",
    "linear_separability",
    "local_spectrum",
    "modality_gap",
    "nmse_db",
    "r_precision",
    "recall_at_k",
    "residual_db",
    "retrieval",
    "revisited",
    "trapezoidal_average_precision",
    "triplet_violations",
    "uniformity",
]
