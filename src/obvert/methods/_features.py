"""What OTI and OVI share: search, in batches, for the input of one tower whose feature matches a wanted one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.core import DualEncoder, Inversion, Map, ObvertError, Progress, Solution, Stop, descent
from obvert.methods._join import join, share
from obvert.objectives.cosine import Cosine
from obvert.provenance import clock, versions
from obvert.solvers.adam import Adam
from obvert.solvers.iterate import iterate


def match_features(
    method: Any,
    name: str,
    model: DualEncoder,
    map: Map,
    target: Tensor,
    *,
    batch: int,
    solver: Adam,
    steps: int,
    stop: Stop | None,
    keep: str,
    snapshots: Sequence[int],
    seed: int,
    progress: Progress | None,
) -> Inversion:
    """Minimise 1 - cos(map(x), target) for each sample.

    Args:
        method: the dataclass that asks; its fields are recorded.
        name: of the method.
        model: the frozen model.
        map: the tower to invert.
        target: (B, d) wanted features; any norm but 0.
        batch: samples a search runs at once.
        solver: update rule.
        steps: most steps.
        stop: per-sample stop rule.
        keep: "last" or "best".
        snapshots: steps to return besides.
        seed: of the start.
        progress: called with (steps done over all batches, total, mean error).

    Returns:
        The inversion, on the model's device.

    Raises:
        ObvertError: when the target is not (B, d), or holds NaN or infinite numbers.
    """
    if target.ndim != 2 or target.shape[1] != model.dimension:
        raise ObvertError(
            f"{name} needs features of shape (B, {model.dimension}) for {model.card.name}, got {tuple(target.shape)}"
        )
    bad = (~target.isfinite().all(1)).nonzero().flatten().tolist()
    if bad:
        raise ObvertError(
            f"{name} needs finite features, got NaN or infinite numbers in {len(bad)} of {len(target)} rows, first row {bad[0]}"
        )
    began = clock(model.device)
    target = target.to(model.device, torch.float32)
    total = max(1, -(-len(target) // batch))
    parts: list[Solution] = []
    for i in range(total):
        wanted = target[i * batch : (i + 1) * batch]
        parts.append(
            iterate(
                descent(Cosine(map, wanted)),
                solver,
                map.start(len(wanted), seed, model.device),
                max_steps=steps,
                stop=stop,
                keep=keep,
                snapshots=snapshots,
                progress=share(progress, i, total),
            )
        )
    solution = join(parts)
    return Inversion(
        method=name,
        settings=asdict(method) | {"snapshots": list(snapshots)},
        model=model.card,
        target=target,
        seed=seed,
        seconds=clock(model.device) - began,
        versions=versions(),
        solution=solution,
        features=_encode(map, solution.x, batch),
        snapshot_features={step: _encode(map, x, batch) for step, x in solution.snapshots.items()},
    )


@torch.no_grad()
def _encode(map: Map, x: Tensor, batch: int) -> Tensor:
    return torch.cat([normalize(map(part).float(), dim=-1) for part in x.split(batch)]) if len(x) else map(x)
