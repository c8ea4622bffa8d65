"""Compositional blindness in numbers: what the theory says of contrastive training, each statement beside its measurement.

Worlds with known answers are made, encoders trained in them and asked; the link through the modality gap and the margins of
iterated operators are read off zoo/clip. Rows are means over seeds with 95 % t-intervals.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from obvert.composition.theory.world import ENCODERS
from obvert.core import ObvertError
from obvert.models import load_dual
from obvert.provenance import versions
from obvert.report import Block, Curves, Dots, Report, Table, Text
from obvert.store import Run
from obvert.tasks import _composition_rows as found
from obvert.tasks._claims import STUDENT, summarise
from obvert.tasks._composition_claims import judge
from obvert.tasks._composition_rows import DEPTH, GAP, LIMIT, LINK, MARGINS, ORBITS, RHOS, SCMS, WORLD, Rows, Watch

MODEL = "zoo/clip"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done."""

    seeds: int = 3
    """Seeds, 2 to 10."""
    steps: int = 1500
    """Steps of each training that shows what is identified."""
    world_steps: int = 1000
    """Steps of each training in the composition world."""
    scenes: int = 24
    """Held-out scenes a seed whose captions are edited, and pairs of each kind that zoo/clip is asked."""

    def __post_init__(self) -> None:
        if self.seeds not in STUDENT or min(self.steps, self.world_steps, self.scenes) < 1:
            raise ObvertError(f"need 2 to 10 seeds, a step or more of both trainings and a scene or more, got {self}")


def composition(folder: Path, *, size: Size | None = None, run: Run | None = None, progress: Watch = lambda name: None) -> Report:
    """Run every experiment.

    Args:
        folder: unused: nothing that is trained on the way is kept.
        size: how much is done.
        run: where finished pieces are kept.
        progress: gives a progress callback for a name.

    Returns:
        The report.
    """
    size = size or Size()
    model, seeds = load_dual(MODEL), size.seeds
    rows = found.identified(seeds, size.steps, run, progress) + found.worlds(seeds, size.world_steps, run, progress)
    rows += found.linked(model, seeds, size.scenes, run) + found.by_depth(model, seeds, size.scenes, run)
    rows += found.to_the_limit(seeds) + found.orbits()
    claims = [claim.row() for claim in judge(rows)]
    means = summarise(rows)
    held = sum(claim["holds here"] == "yes" for claim in claims)
    told = [
        {"task": "claims", "model": "composition", "features": c["claim"]} | {k: v for k, v in c.items() if k != "claim"}
        for c in claims
    ]
    return Report(
        title="Compositional blindness: theory beside measurement",
        lead=f"{held} of {len(claims)} claims hold here, over {size.seeds} seeds.",
        blocks=[
            Table(title="Claims and what holds here", rows=claims, intervals={"here": "here_interval"}, note=CLAIMS),
            *figures(means),
            *tables(means),
            Text(title="How to read this", lines=READING),
        ],
        rows=means + told,
        meta={"size": vars(size), "versions": versions()},
    )


CLAIMS = "What is found less the bound that the claim names; means over seeds. Unclear: the interval holds 0."
READING = [
    "R^2 of features: by linear and by kernel ridge regression, on held-out pairs; of dependent style the theory gives what "
    "z_inv explains of it. The last two blocks are what z_inv itself explains: the features, so that they hold nothing else, and "
    "dependent style, by the same regression from as many pairs, which stays a little below the theory.",
    "A floor is the least loss in nats of an encoder that tells what it can: E log(1 + n), n the pairs of a batch that look the "
    "same to it. At rho = 0 all sentences come in canonical order, and order-aware and bag-of-words encoders have one floor. The "
    "pseudo-optimal encoder reads the order-aware one's text with its words in canonical order.",
    "Swap: a canonical picture is nearer to its caption than to the swapped one. Group: so is the picture of the swap to its "
    "own, both ways; at rho = 0 nobody has seen such a picture. Apart: how much a text prefers its picture to that of the swap.",
    "Gap link: were the gap between pictures and texts one constant, a text would select its picture, <F(v) - F(v'), G(t)>, by "
    "half the squared distance of the two texts. Texts that are one select nothing.",
    "Margins by depth: cosine of a held-out scene with its caption less that with what edits make of the caption; a deeper "
    "negative is easier when drawn. A beam search keeps, at each depth, the negatives most similar to the picture.",
]
MEASURES = {
    **{task: ["linear", "kernel", "theory", "kernel - theory"] for task in SCMS.values()},
    WORLD: ["floor", "loss", "swap", "group", "apart"],
    LIMIT: ["loss - log N", "limit"],
    LINK: ["predicted", "selected"],
    MARGINS: [f"depth {k + 1}" for k in range(DEPTH)],
    ORBITS: ["reached", "formula"],
}
"""Task to the columns of its table."""
EXACT = ("theory", "floor", "limit", "reached", "formula")
"""Columns that are not measured."""


def tables(means: Rows) -> list[Block]:
    """One table for each experiment, theory beside measurement."""
    shown: list[Block] = []
    for task, columns in MEASURES.items():
        mine = [row for row in means if row["task"] == task]
        shown.append(
            Table(
                title=task[0].upper() + task[1:],
                rows=mine,
                columns=[*(["model"] if len({row["model"] for row in mine}) > 1 else []), "features", *columns],
                intervals={name: f"{name}_interval" for name in columns if name not in EXACT},
                group=("model",),
            )
        )
    return shown


def figures(means: Rows) -> list[Block]:
    """What is identified, losses against rho, the way to the limit, the gap link, margins and orbits against depth."""

    def of(*tasks: str) -> Rows:
        return [row for row in means if row["task"] in tasks]

    def band(row: dict[str, Any], measures: Sequence[str]) -> tuple[list[float], list[float]]:
        return [row[f"{name}_interval"][0] for name in measures], [row[f"{name}_interval"][1] for name in measures]

    depths = MEASURES[MARGINS]
    limits = of(LIMIT)
    linked = sorted((row for row in of(LINK) if row["features"] != GAP), key=lambda row: row["predicted"])
    loss = [("measured", "loss"), ("formula", "floor")]
    return [
        *(identified(of(task), task) for task in SCMS.values()),
        Curves(
            title="Loss in the composition world",
            x_label="rho, share of free arrangements",
            y_label="InfoNCE (nats)",
            series={
                f"{name}, {what}": (RHOS, [row[key] for row in of(WORLD) if row["features"] == name])
                for name in ENCODERS
                for what, key in loss
            },
            note="Losses and what the formula says: they part where the data ask for the order.",
        ),
        Curves(
            title="InfoNCE of Gaussian features less log N",
            x_label="N",
            y_label="nats",
            log_x=True,
            series={"loss - log N": ([float(row["N"]) for row in limits], [row["loss - log N"] for row in limits])},
            lines={"limit": limits[0]["limit"]},
        ),
        Curves(
            title=f"Gap link, {MODEL}",
            x_label="half the squared distance of the texts",
            y_label="<F(v) - F(v'), G(t)>",
            series={
                key: ([row["predicted"] for row in linked], [row[key] for row in linked]) for key in ("selected", "predicted")
            },
            note="A point is a kind of perfect pairs of Scenes; predicted: were the gap one constant.",
        ),
        Curves(
            title=f"Margin against depth, {MODEL}",
            x_label="edits",
            y_label="cosine",
            series={row["features"]: ([k + 1.0 for k in range(DEPTH)], [row[name] for name in depths]) for row in of(MARGINS)},
            bands={row["features"]: band(row, depths) for row in of(MARGINS)},
        ),
        Curves(
            title="Sentences within so many swaps",
            x_label="swaps",
            y_label="sentences",
            series={row["features"]: ([float(k) for k in range(len(row["reached"]))], row["reached"]) for row in of(ORBITS)},
            note="As counted; the table has the formula beside it.",
        ),
    ]


def identified(rows: Rows, task: str) -> Dots:
    """R^2 of every block beside the theory."""
    series: dict[str, Sequence[float]] = {
        "kernel R^2": [max(0.0, row["kernel"]) for row in rows],
        "theory": [row["theory"] for row in rows],
    }
    return Dots(
        title=f"What is identified, {task}",
        labels=[f"{row['model']}: {row['features']}" for row in rows],
        series=series,
        remarks=[f"{row['kernel']:.3f}, theory {row['theory']:.3f}" for row in rows],
        note="Below 0 is shown as 0.",
    )
