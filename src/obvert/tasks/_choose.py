"""Choose the settings of a closed-form feature map on labelled validation features, never on those that are tested."""

from __future__ import annotations

from obvert.core import FeatureMap, Reference
from obvert.registry import find
from obvert.tasks._apply import Applied
from obvert.tasks.retrieval import Collection, judge


def choose(name: str, validation: Collection, reference: Reference) -> FeatureMap:
    """The candidate of a feature map with the highest mean average precision on a validation collection.

    Args:
        name: of the feature map, as in the registry.
        validation: what is searched.
        reference: what the map learns from, of the validation split too.

    Returns:
        The feature map with its settings, unfitted; the first of equals.
    """
    candidates: list[FeatureMap] = find("features", name)().candidates(reference)

    def precision(candidate: FeatureMap) -> float:
        mapped = candidate.fit(reference)(validation.features, validation.modality)
        rows, searched = mapped[validation.query_rows], mapped[validation.gallery_rows]
        row = judge(Applied(name=name, queries=rows, gallery=searched, seconds=0.0), validation, task="", model="").row
        return float(row["map"])

    return max(candidates, key=precision)
