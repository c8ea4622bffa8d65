"""The benchmark of watermarks as a page, and what the released mask of tree rings costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from obvert.core import Diffusion, Watermark
from obvert.core.diffusion import draw_noise
from obvert.provenance import versions
from obvert.report import Block, Gallery, GalleryRow, Histograms, Report, Table
from obvert.tasks.watermark import TASK, Benchmark
from obvert.watermarks.tree_ring import TreeRing

MASK = "the released mask"
THREE = ((1.2, 0.6, 1.4, 0.8, 0.2, 1.8), (1.2, 0.2, 1.2, 1.4, 0.6, 1.4), (0.4, 1.4, 1.6, 0.6, 0.8, 1.2))
"""The keys of the paper on decoder inversion: six rings, innermost first, in units of 80."""
COLUMNS = ["attack", "inversion", "auc", "tpr_at_1_percent", "accuracy", "key_accuracy", "keys_right", "pictures"]
COSTS = ["false_alarms", "noise_db", "seconds", "diffusion_seconds", "memory_mib"]
MASK_NOTE = (
    "Three keys of six rings at 64 x 64, 100 noises with each, recovered perfectly or with an error; no picture is drawn. The "
    "released mask lies a row too high: taking the real part then averages rings with others, and the first key is taken for "
    "the second. A p-value that compares with what is left of the key is not misled."
)


def mask_bug(*, noises: int = 100, seed: int = 0) -> list[dict[str, Any]]:
    """How many of three published keys are told under the released mask and under a centred one.

    Args:
        noises: with each key.
        seed: of the noises and errors.

    Returns:
        Rows: mask, rule ("nearest" is the published one), recovery_db (None for perfect), keys_right, pictures.
    """
    shape, rows = (4, 64, 64), []
    for mask in ("published", "centred"):
        scheme = TreeRing(radius=6, channel=0, mask=mask)
        keys = [scheme.rings(shape, 80 * torch.tensor(key)) for key in THREE]
        for decibels in (None, -10.0, -3.0):
            right = {"nearest": 0, "smallest p": 0}
            for i, key in enumerate(keys):
                noise = scheme.embed(draw_noise(shape, noises, seed + i * noises), key)
                if decibels is not None:
                    noise = _wrong_by(noise, decibels, seed + (3 + i) * noises)
                nearest = torch.stack([scheme.score(noise, k) for k in keys]).argmax(0)
                right["nearest"] += int((nearest == i).sum())
                right["smallest p"] += int((scheme.identify(noise, keys) == i).sum())
            for rule, count in right.items():
                row = {"task": MASK, "mask": mask, "rule": rule, "recovery_db": decibels}
                rows.append(row | {"keys_right": count, "pictures": 3 * noises})
    return rows


def _wrong_by(noise: Tensor, decibels: float, seed: int) -> Tensor:
    wrong = draw_noise(noise.shape[1:], len(noise), seed)
    size = noise.flatten(1).norm(dim=1) / wrong.flatten(1).norm(dim=1)
    return noise + 10 ** (decibels / 20) * size[:, None, None, None] * wrong


def report(model: Diffusion, watermark: Watermark, found: Benchmark, bug: list[dict[str, Any]], *, title: str) -> Report:
    """The page.

    Args:
        model: who drew.
        watermark: the scheme.
        found: the benchmark.
        bug: rows of `mask_bug`; none leaves the table out.
        title: of the page.

    Returns:
        The report.
    """
    intervals = {name: f"{name}_interval" for name in ("auc", "tpr_at_1_percent", "accuracy", "key_accuracy")}
    note = "Positive: watermarked pictures under their own key; negative: clean ones under every key. 95 % intervals."
    best = tuple(intervals)
    blocks: list[Block] = [
        Table(
            title="Found, and whose",
            rows=found.rows,
            columns=COLUMNS,
            intervals=intervals,
            best=best,
            group=("attack",),
            note=note,
        ),
        Table(
            title="What it cost, and how near the noise came",
            rows=found.rows,
            columns=["attack", "inversion", *COSTS],
            group=("attack",),
            note="For one picture; false alarms are clean p-values below .01, one in a hundred if they mean what they say.",
        ),
        *(
            Histograms(title=f"p-values, {hurt}, {name}", x_label="-log10 p, at most 12", series=_logs(*p))
            for (hurt, name), p in found.p_values.items()
            if hurt == next(iter(found.p_values))[0]
        ),
        Gallery(
            title="Clean, and with each key",
            queries=[
                GalleryRow(query=clean, label=caption, results={f"key {i}": [(x, "", None)] for i, x in enumerate(marked)})
                for caption, (clean, *marked) in found.examples
            ],
        ),
    ]
    if bug:
        blocks.append(Table(title="The released mask of tree rings", rows=bug, group=("mask",), note=MASK_NOTE))
    first = [row for row in found.rows if row["attack"] == found.rows[0]["attack"]]
    told = ", ".join(f"{row['keys_right']} by {row['inversion']}" for row in first)
    lead = f"Of {first[0]['pictures']} keys told: {told} (attack: {first[0]['attack']})."
    meta = {"model": vars(model.card), "watermark": {"scheme": type(watermark).__name__, **vars(watermark)}, "task": TASK}
    return Report(title=title, lead=lead, blocks=blocks, rows=found.rows + bug, meta={**meta, "versions": versions()})


def _logs(marked: Tensor, clean: Tensor) -> dict[str, Sequence[float]]:
    """-log10 of p-values, at most 12."""
    return {
        name: [min(12.0, -math.log10(p)) if p > 0 else 12.0 for p in values.tolist()]
        for name, values in (("watermarked", marked), ("clean", clean))
    }
