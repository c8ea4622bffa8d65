"""What the paper reports beside what the demo found, one line a claim, with intervals of paired differences over queries."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from obvert.core import DualEncoder
from obvert.metrics import bootstrap
from obvert.tasks import classification, retrieval
from obvert.tasks.search import gap_line
from obvert.zoo.exam import kinds


def findings(
    model: DualEncoder,
    test: retrieval.Collection,
    texts: Tensor,
    outcomes: list[retrieval.Outcome],
    curves: dict[tuple[str, int], tuple[list[float], list[float]]],
    chosen: dict[int, int],
    tuned: list[str],
    by_class: list[dict[str, Any]],
    found: dict[tuple[str, int], dict[str, Tensor]],
) -> list[str]:
    """Each claim of the paper beside what was found, with an interval of the paired difference over queries."""
    scores = {o.applied.name: o.scores["map"] for o in outcomes}
    native = scores["native"]
    lines = []
    name, best = max(((n, s) for n, s in scores.items() if n != "native"), key=lambda item: item[1].nanmean().item())
    lines.append(
        f"Best beside native ({native.nanmean():.3f} mAP): {name}, {best.nanmean():.3f}; difference {difference(best, native)}."
    )
    lines.append(f"Gap. {gap_line(test.features, texts)}")
    lines.append(
        f"OTI as published (150 steps, R = 1) against native: {difference(scores['oti'], native)}. The paper reports a gain."
    )
    for r, step in chosen.items():
        steps, values = curves["test", r]
        at = values[steps.index(step)]
        label = f"oti R={r}, {step} steps"
        lines.append(
            f"Step curve, R = {r}: validation chooses {step} steps; on the test scenes {at:.3f} there and {values[-1]:.3f} "
            f"at 150; against native {difference(scores[label], native)}. The paper reports an early peak and a later decline."
        )
    rows = {row["features"]: row["accuracy"] for row in by_class}
    right = hits(model, test, found["test", 1]["features"]) - hits(model, test, test.features)
    lines.append(
        f"Zero-shot classification: native {rows['native']:.3f}, with OTI features {rows['oti']:.3f}; difference "
        f"{interval(right)}. The paper reports a drop."
    )
    for rival in (name for name in ("text-pca", "isoclip", "mean") if name in scores):
        lines.append(
            f"As published, {rival} against OTI: {difference(scores[rival], scores['oti'])} mAP; it costs no optimisation."
        )
    best_oti = max((f"oti R={r}, {step} steps" for r, step in chosen.items()), key=lambda label: scores[label].nanmean())
    for label in tuned:
        lines.append(
            f"Both with settings chosen on the validation scenes: {label} against {best_oti}: "
            f"{difference(scores[label], scores[best_oti])} mAP."
        )
    return lines


def hits(model: DualEncoder, test: retrieval.Collection, features: Tensor) -> Tensor:
    """(Q,) 1 where a picture's nearest class name is its own."""
    names = model.text_features([classification.prompt(k) for k in kinds()]).cpu()
    return ((features @ names.T).argmax(1) == test.labels).double()


def difference(a: Tensor, b: Tensor) -> str:
    """The mean of paired differences over queries, with its interval."""
    return interval(a - b)


def interval(values: Tensor) -> str:
    """A mean with its 95 % bootstrap interval."""
    mean, low, high = bootstrap(values)
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
