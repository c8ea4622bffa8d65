"""Decoder inversion with the truth at hand: NMSE along the evaluations of every solver, and what validation chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from obvert.core import Autoencoder, Progress, Solver
from obvert.methods.decoder_inversion import DecoderInversion
from obvert.methods.gradient_decoder_inversion import GradientDecoderInversion
from obvert.metrics import nmse_db
from obvert.solvers import Anderson, ForwardStep, GNSecant, Hybrid, InertialKM, ScheduledAdam
from obvert.store import Run
from obvert.tasks._memory import peak_memory
from obvert.zoo.draw import draw
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.scenes import sample
from obvert.zoo.training import computes_bf16

FIRST = HELD_OUT + 4000
"""Seeds of the scenes: even ones to choose on, odd ones to test on."""
KM_GRID = [(step, inertia) for step in (0.03, 0.1, 0.3, 0.6, 1.0) for inertia in (0.0, 0.3, 0.6, 0.9)]
"""Step sizes and inertias of Krasnoselskii-Mann that validation chooses from."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Latents and what the decoder makes of them."""

    latents: Tensor
    """(B, c, h, w)."""
    pictures: Tensor
    """(B, 3, H, W) in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One method along its steps."""

    name: str
    nmse: Tensor
    """(K + 1, B) decibels."""
    residual: Tensor
    """(K + 1, B) error of the pictures, decibels."""
    seconds: float
    """Of a picture, for all steps."""
    steps: Tensor
    """(B,) where the stop rule ended."""

    @property
    def mean(self) -> Tensor:
        """(K + 1,) NMSE, the mean over pictures."""
        return self.nmse.mean(1)

    def reaches(self, level: float) -> int | None:
        """The first step at which the mean NMSE is at most this; None when none is."""
        below = (self.mean <= level).nonzero().flatten()
        return int(below[0]) if len(below) else None

    def seconds_at(self, step: int) -> float:
        """Seconds of a picture for so many steps."""
        return self.seconds * (step + 1) / len(self.nmse)


def truth(model: Autoencoder, count: int, seed: int, *, split: str, eight_bit: bool) -> Truth:
    """Latents of held-out scenes, decoded.

    Args:
        model: the autoencoder.
        count: scenes; half of them hold two things.
        seed: of the scenes.
        split: "validation" or "test".
        eight_bit: round the pictures to 8 bits, as a file does.

    Returns:
        The latents that are to be found, and the pictures to find them from.
    """
    at = FIRST + 2 * seed + (split == "test")
    scenes = sample(count - count // 2, at, things=1) + sample(count // 2, at + 500, things=2)
    latents = model.encode(draw(scenes).float() / 255)
    pictures = model.decode(latents)
    return Truth(latents=latents, pictures=(pictures * 255).round() / 255 if eight_bit else pictures)


def contestants(steps: int, device: torch.device) -> dict[str, Any]:
    """Every solver as it is used; tuned Krasnoselskii-Mann is added by `tune`.

    Args:
        steps: of each.
        device: where they will run; one that emulates bf16 takes only the first ten steps in 16 bits, each nine times as long.

    Returns:
        Methods by name.
    """

    def free(solver: Solver[Any], precision: Any = "fp32", most: int = steps) -> DecoderInversion:
        return DecoderInversion(solver=solver, max_steps=min(steps, most), stop=None, precision=precision)

    horizon = min(steps, 100)
    halved = steps if computes_bf16(device) else 10
    in_16 = {}
    for kind in ("bf16", "fp16"):
        in_16[f"Anderson, {kind}"] = free(Anderson(), kind, halved)
        in_16[f"Adam variant, {kind}"] = free(ScheduledAdam(horizon=horizon, eps=1e-4), kind, halved)  # eps as published
    return {
        "Anderson": free(Anderson()),
        "Anderson by pixels": free(Anderson(pixels=True)),
        "forward step": free(ForwardStep()),
        "KM, published": free(InertialKM()),
        "Adam variant, published": free(ScheduledAdam(horizon=horizon)),
        "hybrid": free(Hybrid()),
        "GN-secant": free(GNSecant()),
        "gradient, lr .1 scheduled": GradientDecoderInversion(max_steps=min(steps, 50)),
        "gradient, lr .01 fixed": GradientDecoderInversion(lr=0.01, schedule="fixed", max_steps=steps),
        **in_16,
    }


def follow(
    name: str, method: Any, model: Autoencoder, given: Truth, *, run: Run | None = None, progress: Progress | None = None
) -> Curve:
    """A method along all its steps.

    Args:
        name: of the curve; a run keeps it under this name.
        method: with `max_steps`, `snapshots` and `batch`.
        model: the autoencoder.
        given: the truth.
        run: where finished curves are kept.
        progress: of the search.

    Returns:
        The curve.
    """
    whole = replace(method, snapshots=tuple(range(method.max_steps + 1)), batch=min(32, len(given.latents)))

    def make() -> dict[str, Tensor]:
        found = whole(model, given.pictures, progress=progress).cpu()
        points = [nmse_db(found.solution.snapshots[k], given.latents.cpu()) for k in range(method.max_steps + 1)]
        trace = found.trace[torch.arange(method.max_steps + 1).clamp(max=len(found.trace) - 1)]
        share = found.seconds * len(points) / (len(found.trace) * len(given.latents))
        return {"nmse": torch.stack(points), "trace": trace, "seconds": torch.tensor([share]), "steps": found.steps}

    piece = run.piece(name.replace(" ", "-").replace(",", ""), make) if run else make()
    return Curve(
        name=name,
        nmse=piece["nmse"],
        residual=10 * piece["trace"].double().log10(),
        seconds=piece["seconds"].item(),
        steps=piece["steps"],
    )


def mebibytes(method: Any, model: Autoencoder, given: Truth, steps: int = 12) -> float:
    """What a method takes for one picture at its peak, above what the model itself takes; few steps tell it."""
    few = replace(method, max_steps=min(steps, method.max_steps))
    return peak_memory(lambda: few(model, given.pictures[:1]), model.device) / 2**20


def tune(model: Autoencoder, given: Truth, steps: int, *, run: Run | None = None, level: float | None = None) -> InertialKM:
    """Krasnoselskii-Mann at its best on validation pictures.

    Args:
        model: the autoencoder.
        given: the validation pictures.
        steps: that it may take.
        run: where finished curves are kept.
        level: NMSE that is to be reached in the fewest steps; the lowest NMSE decides where none reaches it.

    Returns:
        The solver.
    """
    best: tuple[float, float] | None = None
    chosen = InertialKM()
    for step, inertia in KM_GRID:
        solver = InertialKM(step_size=step, inertia=inertia)
        method = DecoderInversion(solver=solver, max_steps=steps, stop=None)
        curve = follow(f"tune km {step:g} {inertia:g}", method, model, given, run=run)
        at = None if level is None else curve.reaches(level)
        score = (float("inf") if at is None else float(at), float(curve.mean.min()))
        if best is None or score < best:
            best, chosen = score, solver
    return chosen


def at_stop(model: Autoencoder, given: Truth, method: DecoderInversion | None = None) -> tuple[Tensor, Tensor]:
    """NMSE of what the stop rule gives, and how many evaluations it took until it said so.

    Args:
        model: the autoencoder.
        given: the truth.
        method: with a stop rule; the default when None.

    Returns:
        (B,) decibels and (B,) evaluations.
    """
    method = method or DecoderInversion()
    found = method(model, given.pictures).cpu()
    rule, evaluations = method.rule(given.pictures), torch.full_like(found.steps, len(found.trace))
    for k in reversed(range(len(found.trace))):
        if rule is not None:
            evaluations[rule(found.trace[: k + 1])] = k + 1
    return nmse_db(found.x, given.latents.cpu()), evaluations


def spread(values: Sequence[float] | Tensor) -> tuple[float, float, float]:
    """Mean over pictures with its 95 % interval (normal), as the paper reports."""
    numbers = torch.as_tensor(values, dtype=torch.float64)
    half = 1.96 * numbers.std().item() / len(numbers) ** 0.5 if len(numbers) > 1 else float("nan")
    mean = numbers.mean().item()
    return mean, mean - half, mean + half


Watch = Callable[[str], Progress | None]
