"""What the theory of compositional blindness says, with what was found."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import spearmanr

from obvert.composition.theory.identifiability import BLOCKS, OF_CONTENT
from obvert.composition.theory.world import CANONICAL, ENCODERS
from obvert.tasks._claims import Claim
from obvert.tasks._composition_rows import (
    DEPTH,
    DRAWN,
    GAP,
    LARGEST,
    LIMIT,
    LINK,
    MARGINS,
    RHOS,
    SCMS,
    SEARCHED,
    WORLD,
    Rows,
)

BAG, ORDER = ENCODERS
LEAST = {"image": 0.98, "text": 0.88}
"""R^2 of z_inv that the features of each side reach."""
WITHIN = 0.03
"""Nats within which a loss counts as what a formula says."""
BEFORE = {0.0: ".657 and .652 before", 1.0: ".678 and .211 before"}
"""Losses of the two encoders as they were measured before, in a world of another size."""
THEOREM = "theorem"


def judge(rows: Rows) -> list[Claim]:
    """Claims of all experiments.

    Args:
        rows: of single seeds.

    Returns:
        The claims, experiment by experiment.
    """
    return [claim for task in SCMS.values() for claim in _identified(rows, task)] + _worlds(rows) + _models(rows)


def _of(rows: Rows, task: str, features: str, measure: str, model: str | None = None) -> list[float]:
    """One number a seed."""
    mine = [row for row in rows if row["task"] == task and row["features"] == features and model in (None, row["model"])]
    return [row[measure] for row in sorted(mine, key=lambda row: row["seed"])]


def _below(text: str, published: str, values: Sequence[float], bound: float) -> Claim:
    return Claim(text=text, published=published, values=[value - bound for value in values], positive=False)


def _above(text: str, published: str, values: Sequence[float], bound: float) -> Claim:
    return Claim(text=text, published=published, values=[value - bound for value in values])


def _apart(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [abs(a - b) for a, b in zip(one, other, strict=True)]


def _worst(*measures: Sequence[float]) -> list[float]:
    return [max(of_seed) for of_seed in zip(*measures, strict=True)]


def _identified(rows: Rows, task: str) -> list[Claim]:
    def told(block: str) -> list[float]:
        return _worst(*(_of(rows, task, block, "kernel", side) for side in LEAST))

    style, known = ([_of(rows, task, block, "kernel", side) for side in LEAST] for block in (BLOCKS[1], OF_CONTENT[1]))

    return [
        *(
            _above(
                f"{task}: features of the {side} side tell z_inv, R^2 of {least} or more",
                f"{THEOREM}; .99 before" if side == "image" else f"{THEOREM}; .89 to .99 before",
                _of(rows, task, "z_inv", "kernel", side),
                least,
            )
            for side, least in LEAST.items()
        ),
        _below(f"{task}: neither side tells independent style, R^2 below .05", THEOREM, told("independent style"), 0.05),
        _below(
            f"{task}: of dependent style they tell what z_inv itself tells by the same regression, within .05",
            THEOREM,
            _worst(*map(_apart, style, known)),
            0.05,
        ),
        _below(f"{task}: of its residual they tell nothing, R^2 below .05", THEOREM, told("residual"), 0.05),
    ]


def _worlds(rows: Rows) -> list[Claim]:
    def of(rho: float, name: str, measure: str) -> list[float]:
        return _of(rows, WORLD, name, measure, f"rho = {rho:g}")

    losses = [
        _below(
            f"rho = {rho:g}: the losses of both encoders are what the formula says, within {WITHIN} nats",
            BEFORE.get(rho, "formula"),
            _worst(*(_apart(of(rho, name, "loss"), of(rho, name, "floor")) for name in ENCODERS)),
            WITHIN,
        )
        for rho in RHOS
    ]
    more = [a - b for a, b in zip(of(1, BAG, "loss"), of(1, ORDER, "loss"), strict=True)]
    formula = [a - b for a, b in zip(of(1, BAG, "floor"), of(1, ORDER, "floor"), strict=True)]
    better = [a - b for a, b in zip(of(0, ORDER, "swap"), of(0, CANONICAL, "swap"), strict=True)]
    return [
        *losses,
        _below(
            "rho = 0: the pseudo-optimal encoder has the very loss of the order-aware one, within 1e-6 nats",
            "by construction",
            _apart(of(0, CANONICAL, "loss"), of(0, ORDER, "loss")),
            1e-6,
        ),
        _above("rho = 0: yet it tells fewer swaps, by .4 or more", "swaps .5 against 1.0 before", better, 0.4),
        _below(
            f"rho = 1: what the bag of words loses is Delta L of the formula, within {WITHIN} nats",
            "formula",
            _apart(more, formula),
            WITHIN,
        ),
        _above("rho = 1: order-aware is right two by two on .95 or more", "to be told apart", of(1, ORDER, "group"), 0.95),
        _below("rho = 1: bag-of-words texts select no picture of a swap, below .05", "gap link: 0", of(1, BAG, "apart"), 0.05),
    ]


def _models(rows: Rows) -> list[Claim]:
    last, first = f"depth {DEPTH}", "depth 1"
    limit = _apart(_of(rows, LIMIT, f"N = {LARGEST}", "loss - log N"), _of(rows, LIMIT, f"N = {LARGEST}", "limit"))
    alike = []
    for seed in sorted({row["seed"] for row in rows if row["task"] == LINK}):
        pairs = [
            (r["predicted"], r["selected"]) for r in rows if r["task"] == LINK and r["seed"] == seed and r["features"] != GAP
        ]
        alike.append(float(spearmanr(*zip(*pairs, strict=True)).statistic))

    def margins(name: str, measure: str) -> list[float]:
        return _of(rows, MARGINS, name, measure)

    return [
        _below(f"InfoNCE less log N is near its limit at N = {LARGEST}, within {WITHIN} nats", "formula", limit, WITHIN),
        _above("zoo/clip: more than half of its gap is constant", "F = G + Delta", _of(rows, LINK, GAP, "selected"), 0.5),
        _above(
            "zoo/clip: texts that lie further apart select their pictures more, rank correlation above 0", "gap link", alike, 0
        ),
        Claim(
            text=f"zoo/clip: drawn negatives are easier at depth {DEPTH} than at 1",
            published=".32, .60, .83 before",
            values=[a - b for a, b in zip(margins(DRAWN, last), margins(DRAWN, first), strict=True)],
        ),
        Claim(
            text=f"zoo/clip: those that a beam search finds at depth {DEPTH} are harder than those drawn at 1",
            published="iterate with a search",
            values=[a - b for a, b in zip(margins(SEARCHED, last), margins(DRAWN, first), strict=True)],
            positive=False,
        ),
    ]
