"""Audits side by side: of the same contrasts, item by item, so that their difference has an interval of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from obvert.core import Contrast, ObvertError
from obvert.metrics import bootstrap, tally
from obvert.tasks._audit_answers import Choices, Pairs
from obvert.tasks._audit_rows import WHOLE, Cell, grouped

FILE = "scores.safetensors"
COMPARED = "compared"
MEASURES = {"group": "group score", "choice": "right text chosen"}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What each contrast of an audit counts."""

    model: str
    digest: str
    """Of the material, see `Material.digest`."""
    choice: Tensor
    """(N,) mean over its pictures of whether the right text is chosen; NaN where there is none."""
    group: Tensor
    """(N,) group score; NaN where it is not two by two."""

    def asked(self) -> dict[str, list[int]]:
        """What is compared, of which contrasts: the group score of those two by two, of others the choice of the right text."""
        paired = ~self.group.isnan()
        masks = {"group": paired, "choice": ~paired & ~self.choice.isnan()}
        return {measure: mask.nonzero().flatten().tolist() for measure, mask in masks.items() if mask.any()}


def scores_of(model: str, digest: str, items: Sequence[Contrast], choices: Choices, pairs: Pairs | None) -> Scores:
    """What each contrast counts."""
    total, count = torch.zeros(len(items), dtype=torch.float64), torch.zeros(len(items), dtype=torch.float64)
    rows = torch.tensor(choices.rows, dtype=torch.long)
    total.index_add_(0, rows, choices.credit)
    count.index_add_(0, rows, torch.ones_like(choices.credit))
    group = torch.full((len(items),), torch.nan, dtype=torch.float64)
    if pairs:
        group[pairs.rows] = pairs.two.group
    return Scores(model=model, digest=digest, choice=total / count, group=group)


def keep(scores: Scores, folder: Path) -> None:
    """Write scores beside a report, for a later audit to be compared with."""
    about = {"format": "1", "model": scores.model, "digest": scores.digest}
    save_file({"choice": scores.choice, "group": scores.group}, folder / FILE, metadata=about)


def earlier(folder: Path, digest: str) -> Scores:
    """Read the scores of an earlier audit.

    Args:
        folder: as given to `obvert audit --out`.
        digest: of the material that both must share.

    Returns:
        Its scores.

    Raises:
        ObvertError: when it is no audit, or one of other contrasts.
    """
    from safetensors import safe_open

    try:
        with safe_open(folder / FILE, "pt") as file:
            about = file.metadata() or {}
            found = {name: file.get_tensor(name) for name in ("choice", "group")}
    except Exception as error:  # a damaged header raises nearly anything
        raise ObvertError(f"need a folder that obvert audit wrote, got {folder}: no {FILE} that can be read") from error
    if about.get("format") != "1" or about.get("digest") != digest:
        raise ObvertError(f"need an audit of the same contrasts, got {folder}, which is of others or of another format")
    return Scores(model=f"{about['model']}, {folder.name}", digest=digest, **found)


def compared_rows(here: Scores, others: Sequence[Scores], items: Sequence[Contrast]) -> list[dict[str, Any]]:
    """Differences of each kind of contrast, paired, with intervals over contrasts."""
    rows = []
    for other in others:
        for measure, asked in here.asked().items():
            mine, theirs = getattr(here, measure), getattr(other, measure)
            cells: dict[Cell, list[int]] = {name: [asked[i] for i in at] for name, at in grouped(items, asked).items()}
            for (operator, atom, depth), places in (cells | {WHOLE: asked}).items():
                both = [place for place in places if not theirs[place].isnan()]
                if not both:
                    continue
                gain, *interval = bootstrap(mine[both] - theirs[both])
                rows.append(
                    {
                        "task": COMPARED,
                        "model": here.model,
                        "against": other.model,
                        "measure": MEASURES[measure],
                        "operator": operator,
                        "atom": atom,
                        "depth": depth,
                        "here": mine[both].mean().item(),
                        "there": theirs[both].mean().item(),
                        "difference": gain,
                        "difference_interval": interval,
                        "contrasts": len(both),
                    }
                )
    return rows


def series(scores: Scores, measure: str, cells: dict[Any, list[int]]) -> tuple[list[float], list[tuple[float, float]]]:
    """Of each kind of contrast the share that counts, and Wilson's interval; NaN where a model has none."""
    values: Tensor = getattr(scores, measure)
    found, intervals = list[float](), list[tuple[float, float]]()
    for places in cells.values():
        mine = values[places][~values[places].isnan()]
        told = tally(mine) if len(mine) else None
        found.append(told.accuracy if told else torch.nan)
        intervals.append(told.interval if told else (torch.nan, torch.nan))
    return found, intervals
