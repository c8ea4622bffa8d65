"""The one loop: a field, a solver, a start; each sample ends by itself.

    error_k, direction_k = field(x_k)          x_{k+1} = solver.step(x_k, error_k, direction_k)

A sample that has ended no longer moves, whatever the others do. Nothing inside a step waits for the device: masks do
the bookkeeping, and the host asks only every `check_every` steps whether all samples have ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from obvert.core import Eval, Field, Progress, Solution, Solver, Status, Stop


@torch.no_grad()
def iterate(
    field: Field,
    solver: Solver[Any],
    x: Tensor,
    *,
    max_steps: int,
    tol: float = 0.0,
    stop: Stop | None = None,
    guard: float | None = None,
    keep: str = "last",
    snapshots: Sequence[int] = (),
    check_every: int = 10,
    progress: Progress | None = None,
) -> Solution:
    """Run a solver on a field.

    Args:
        field: x -> Eval; a gradient or any other direction.
        solver: the update rule.
        x: (B, ...) where to start; left as it is.
        max_steps: most steps, at least 0.
        tol: a sample ends when its error is at most this.
        stop: a further per-sample stop rule.
        guard: a step that raises a sample's error above this many times the last one is refused: the sample stays where
            it was and tries a quarter of that move; no step is refused when None.
        keep: "last" point of each sample, or its "best" one by error.
        snapshots: steps whose points are returned besides, within 0..max_steps.
        check_every: steps between two looks from the host.
        progress: called at every look.

    Returns:
        The solution. A sample whose numbers stop being finite ends with `Status.NON_FINITE` at its best point;
        if it never had a finite error, its x is where it started.

    Raises:
        ValueError: for steps, snapshots, `guard` or `keep` out of range.
    """
    if max_steps < 0 or any(not 0 <= s <= max_steps for s in snapshots):
        raise ValueError(f"need max_steps >= 0 and snapshots within 0..max_steps, got {max_steps} and {tuple(snapshots)}")
    if keep not in ("last", "best"):
        raise ValueError(f"need keep to be 'last' or 'best', got {keep!r}")
    if guard is not None and not guard >= 1:
        raise ValueError(f"need guard >= 1, got {guard}")
    x, state = x.detach().clone(), solver.init(x)
    batch, wide = len(x), (-1,) + (1,) * (x.ndim - 1)
    running = torch.ones(batch, dtype=torch.bool, device=x.device)
    status = torch.full((batch,), int(Status.STEPS), device=x.device)
    steps = torch.zeros(batch, dtype=torch.int64, device=x.device)
    best_steps = steps
    kept: dict[int, Tensor] = {}
    for k in range(max_steps + 1):
        now = field(x)
        finite = now.error.isfinite() & now.direction.flatten(1).isfinite().all(1)
        broken = running & ~finite
        status = torch.where(broken, int(Status.NON_FINITE), status)
        running = running & finite
        taken = running
        if k == 0:
            last = best = Eval(torch.where(finite, now.error, torch.inf), x, now.terms)
            trace = now.error.new_empty(max_steps + 1, batch)
        else:
            if guard is not None:
                taken = running & (now.error <= guard * last.error)
            last = Eval(
                torch.where(taken, now.error, last.error),
                torch.where(taken.view(wide), x, last.direction),
                {name: torch.where(taken, value, last.terms[name]) for name, value in now.terms.items()},
            )
        steps = torch.where(taken, k, steps)
        better = taken & (now.error < best.error)
        best = Eval(
            torch.where(better, now.error, best.error),
            torch.where(better.view(wide), x, best.direction),
            {name: torch.where(better, value, best.terms[name]) for name, value in now.terms.items()},
        )
        best_steps = torch.where(better, k, best_steps)
        x = torch.where(broken.view(wide), best.direction, x)
        trace[k] = last.error
        if k in snapshots:
            kept[k] = torch.where((running & ~taken).view(wide), last.direction, x) if guard else x
        reached = taken & (now.error <= tol)
        status = torch.where(reached, int(Status.CONVERGED), status)
        running = running & ~reached
        if stop is not None:
            stopped = running & taken & stop(trace[: k + 1])  # a refused step has gained nothing yet
            status = torch.where(stopped, int(Status.STOPPED), status)
            running = running & ~stopped
            x = torch.where(stopped.view(wide), last.direction, x)
        if k % check_every == 0 or k == max_steps:
            if progress:
                progress(k, max_steps, last.error.mean().item())
            if k < max_steps and not running.any():
                kept.update({s: x for s in snapshots if s > k})
                break
        if k < max_steps:
            moved, state = solver.step(x, now, state)
            if guard is not None:
                moved = torch.where(taken.view(wide), moved, last.direction + (x - last.direction) / 4)
            x = torch.where(running.view(wide), moved, x)
    take = torch.ones_like(running) if keep == "best" else status == int(Status.NON_FINITE)
    return Solution(
        x=torch.where(take.view(wide), best.direction, last.direction),
        error=torch.where(take, best.error, last.error),
        steps=torch.where(take, best_steps, steps),
        status=status,
        trace=trace[: k + 1],
        terms={name: torch.where(take, best.terms[name], last.terms[name]) for name in last.terms},
        snapshots=kept,
    )
