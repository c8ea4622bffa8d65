"""Parts of a search as one: solutions of batches, their progress, terms of an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from obvert.core import Objective, Progress, Solution


def join(parts: list[Solution]) -> Solution:
    """Solutions of consecutive batches as one; a shorter trace goes on with its last errors."""
    longest = max(len(p.trace) for p in parts)

    def cat(get: Callable[[Solution], Tensor]) -> Tensor:
        return torch.cat([get(p) for p in parts])

    return Solution(
        x=cat(lambda p: p.x),
        error=cat(lambda p: p.error),
        steps=cat(lambda p: p.steps),
        status=cat(lambda p: p.status),
        trace=torch.cat([torch.cat((p.trace, p.trace[-1:].expand(longest - len(p.trace), -1))) for p in parts], dim=1),
        terms={name: torch.cat([p.terms[name] for p in parts]) for name in parts[0].terms},
        snapshots={step: torch.cat([p.snapshots[step] for p in parts]) for step in parts[0].snapshots},
    )


def share(progress: Progress | None, part: int, parts: int) -> Progress | None:
    """Progress of one batch of equally long ones as progress of all."""
    if progress is None:
        return None
    return lambda done, total, error: progress(part * total + done, parts * total, error)


def together(terms: dict[str, Tensor], priors: Sequence[Objective], x: Tensor) -> dict[str, Tensor]:
    """Terms of an error with those of priors at x; terms of one name are added."""
    whole = dict(terms)
    for prior in priors:
        for name, value in prior(x).items():
            whole[name] = whole[name] + value if name in whole else value
    return whole
