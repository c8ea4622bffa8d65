"""How good a ranking is, how far apart two modalities lie, how near found latents are to the true ones, how meaningful found
pictures, sounds and texts are."""

from obvert.metrics.clip_score import clip_score, clip_scores, paired_cosine
from obvert.metrics.contrast import Macro, Tally, TwoByTwo, above, by_category, chosen, itt, macro, tally, tot, two_by_two, wilson
from obvert.metrics.detection import Detection, detection
from obvert.metrics.gap import linear_separability, modality_gap
from obvert.metrics.iteration import cocoercivity, local_spectrum
from obvert.metrics.latents import nmse_db, residual_db
from obvert.metrics.meaning import TextModel, Tokens, bert_score, sentence_cosine
from obvert.metrics.mel import LogMel
from obvert.metrics.misalignment import anisotropy, triplet_violations, uniformity
from obvert.metrics.naturalness import frechet_control, frechet_distance, neighbour_ratio
from obvert.metrics.recognition import class_score, rank_of
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
from obvert.metrics.sides import Differences, differences, which_side
from obvert.metrics.sound import bounds_of_quality, log_mel_distance, mel_consistency, pesq, sound_quality, stoi
from obvert.metrics.spectrum import decibels_per_octave, spectrum_slope
from obvert.metrics.statistics import picture_statistics, sound_statistics
from obvert.metrics.text import character_error_rate, edit_distance, exact_match, normalise, word_error_rate
from obvert.metrics.vocabulary import Nearest, legibility, legibility_scale, nearest_tokens

__all__ = [
    "Detection",
    "Differences",
    "LogMel",
    "Macro",
    "Nearest",
    "Tally",
    "TextModel",
    "Tokens",
    "TwoByTwo",
    "above",
    "anisotropy",
    "average_precision",
    "average_precision_at_r",
    "bert_score",
    "bootstrap",
    "bounds_of_quality",
    "by_category",
    "character_error_rate",
    "chosen",
    "class_score",
    "clip_score",
    "clip_scores",
    "cocoercivity",
    "decibels_per_octave",
    "detection",
    "differences",
    "edit_distance",
    "exact_match",
    "frechet_control",
    "frechet_distance",
    "itt",
    "judged_retrieval",
    "legibility",
    "legibility_scale",
    "linear_separability",
    "local_spectrum",
    "log_mel_distance",
    "macro",
    "mel_consistency",
    "modality_gap",
    "nearest_tokens",
    "neighbour_ratio",
    "nmse_db",
    "normalise",
    "paired_cosine",
    "pesq",
    "picture_statistics",
    "r_precision",
    "rank_of",
    "recall_at_k",
    "residual_db",
    "retrieval",
    "revisited",
    "sentence_cosine",
    "sound_quality",
    "sound_statistics",
    "spectrum_slope",
    "stoi",
    "tally",
    "tot",
    "trapezoidal_average_precision",
    "triplet_violations",
    "two_by_two",
    "uniformity",
    "which_side",
    "wilson",
    "word_error_rate",
]
