"""Zero-shot classification of pictures by the names of their classes, with native and with inverted features.

The task is inter-modal already: pictures are compared with texts. Inverting either side makes it intra-modal, and the
paper finds that accuracy then drops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from obvert.core import DualEncoder, Method, Progress
from obvert.metrics import bootstrap
from obvert.registry import find
from obvert.report import Table
from obvert.store import Run
from obvert.tasks._apply import invert, prompt

SIDES = {"native": None, "oti": "image", "ovi": "text"}
"""Which side each replaces by its inversion."""


def classify(
    model: DualEncoder,
    features: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    *,
    by: Sequence[str] = ("native", "oti"),
    methods: dict[str, Method] | None = None,
    inverted: Tensor | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> list[dict[str, Any]]:
    """Accuracy of the nearest class name.

    Args:
        model: who gave the features.
        features: (N, d) native image features.
        labels: (N,) index into classes.
        classes: names; each is asked as "a photo of a NAME".
        by: of "native", "oti" (pictures inverted) and "ovi" (class names inverted).
        methods: settings of each method.
        inverted: (N, d) OTI features that are there already.
        run: where finished pieces are kept.
        seed: of the methods and the bootstrap.
        progress: gives a progress callback for a name.

    Returns:
        Rows for the report, with accuracy and its interval.
    """
    names = model.text_features([prompt(c) for c in classes]).cpu()
    rows = []
    for name in by:
        pictures, texts = features, names
        if SIDES[name] is not None:
            method = (methods or {}).get(name) or find("methods", name)()
            if name == "oti" and inverted is not None:
                pictures = inverted
            else:
                wanted = features if name == "oti" else names
                found = invert(method, model, wanted, name=f"classify-{name}", run=run, seed=seed, progress=progress(name))[
                    "features"
                ]
                pictures, texts = (found, names) if name == "oti" else (features, found)
        right = (pictures @ texts.T).argmax(1) == labels
        mean, *interval = bootstrap(right.double(), seed=seed)
        row = {"task": "zero-shot classification", "model": model.card.name, "features": name, "accuracy": mean}
        rows.append(row | {"accuracy_interval": interval, "queries": len(labels), "gallery": len(classes)})
    return rows


def table(rows: list[dict[str, Any]], title: str = "Zero-shot classification", note: str = "") -> Table:
    """Rows as the report's table."""
    return Table(
        title=title,
        rows=rows,
        columns=["features", "accuracy", "queries", "gallery"],
        intervals={"accuracy": "accuracy_interval"},
        best=("accuracy",),
        note=note,
    )
