"""What the inversions of a decoder share: the target, what is wrong at a point, precision, batches that fit in memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor

from obvert.core import Autoencoder, Eval, Field, Inversion, ObvertError, Progress, Solution, Solver, Status
from obvert.core.autoencoder import stacked
from obvert.core.batches import by_batches
from obvert.methods._join import join, share
from obvert.provenance import clock, versions
from obvert.solvers.residual_rate import ROUNDING

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
GROWN = 1.1
"""Times the first error, above which an error has grown; what stands still at the floor of rounding has not."""
Search = Callable[[Autoencoder, Tensor, Progress | None], Solution]
"""An autoencoder, media within its bounds, of any size, progress -> the solution of that batch."""


def gap(model: Autoencoder, seen: Tensor, wanted: Tensor) -> Tensor:
    """What is wrong with what a decoder gives, before clipping, where the target may have been clipped.

    Args:
        model: whose bounds and sizes these are.
        seen: (B, C, ...) the decoder's output, not clipped; as large as the target padded.
        wanted: (B, C, ...) the target, within the bounds.

    Returns:
        seen - wanted, as large as the target: what was padded counts for nothing. 0 where the target lies at a bound and the
        output lies beyond it: clipping would have made them equal.

    Raises:
        ObvertError: for a decoder that gives media of another shape.
    """
    if seen.shape != (whole := model.padded(wanted)).shape:
        given, asked = tuple(seen.shape), tuple(whole.shape)
        raise ObvertError(f"need an encoder and a decoder that belong together, got media of shape {given} for {asked}")
    seen, (low, high) = cropped(seen, wanted), model.bounds
    beyond = ((wanted >= high) & (seen > high)) | ((wanted <= low) & (seen < low))
    return (seen - wanted).masked_fill(beyond, 0.0)


def cropped(media: Tensor, like: Tensor) -> Tensor:
    """The beginning of media along each axis but the first, as large as other media."""
    return media[(slice(None), *map(slice, like.shape[1:]))]


def encoder_field(model: Autoencoder, media: Tensor, start: Tensor) -> Field:
    """T(z) = E(D(z)) - E(x): no gradient anywhere. The error is the mean squared error of the picture, which comes free."""
    # What is padded for E is padded anew after D: the true latents know nothing of padding, and only so stay where they are.

    @torch.no_grad()
    def evaluate(z: Tensor) -> Eval:
        seen = model.to_media(z).float()
        wrong = gap(model, seen, media)
        direction = model.to_latents(model.padded(cropped(seen, media).clamp(*model.bounds))).float() - start
        latent = direction.flatten(1).square().sum(1) / start.flatten(1).square().sum(1)
        return Eval(wrong.square().flatten(1).mean(1), direction, {"latent": latent}, wrong)

    return evaluate


def gradient_field(model: Autoencoder, media: Tensor, *, chunk: int = 0, checkpointing: bool = False) -> Field:
    """The gradient of the summed squared error of the picture.

    Args:
        model: the autoencoder.
        media: (B, C, ...) the target.
        chunk: samples whose graph is held at a time; all at once when 0. Of a model that takes each frame alone, frames, no
            more than it takes at a time. The result is the same.
        checkpointing: hold what goes into each block of the decoder only, and run the block twice: less memory, more time.

    Returns:
        The field; its error is the mean squared error of a sample.
    """

    def some(z: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            with recomputed(model.blocks() if checkpointing else ()):
                seen = model.to_media(z)
            wrong = gap(model, seen.float(), wanted)
            if not wrong.requires_grad:
                raise ObvertError(f"need a decoder that passes gradients, got {model.card.name}; DecoderInversion takes none")
            (direction,) = torch.autograd.grad(wrong.square().sum(), z)
        return wrong.detach(), direction

    def evaluate(z: Tensor) -> Eval:
        one_by_one = (lambda x: x.transpose(1, 2).flatten(0, 1)[:, :, None]) if model.frames else (lambda x: x)
        latents, wanted = one_by_one(z), one_by_one(media)
        size = min(size for size in (chunk, model.frames, max(1, len(latents))) if size)
        parts = [some(a, b) for a, b in zip(latents.split(size), wanted.split(size), strict=True)]
        wrong, direction = (torch.cat(part) for part in zip(*parts, strict=True))
        if model.frames:
            wrong, direction = (x[:, :, 0].unflatten(0, (len(z), z.shape[2])).transpose(1, 2) for x in (wrong, direction))
        return Eval(wrong.square().flatten(1).mean(1), direction, {}, wrong)

    return evaluate


@contextmanager
def recomputed(blocks: Sequence[torch.nn.Module]) -> Iterator[None]:
    """Within it, graphs hold what goes into these blocks, not what happens inside: a backward pass runs them again."""
    from torch.utils.checkpoint import checkpoint

    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def invert_decoder(
    method: Any,
    name: str,
    model: Autoencoder,
    media: Tensor | Sequence[Tensor],
    search: Search,
    *,
    precision: str,
    batch: int,
    seed: int,
    progress: Progress | None,
) -> Inversion:
    """Run a search on all media, so many at once, fewer where memory does not suffice.

    Args:
        method: the dataclass that asks; its fields are recorded.
        name: of the method.
        model: the autoencoder.
        media: what the decoder should give: (B, C, ...) or a list of (C, ...), within the model's bounds.
        search: the search for one batch.
        precision: of the networks, a key of `PRECISIONS`; the search's own state is fp32 in any case.
        batch: media at once.
        seed: recorded; nothing is drawn.
        progress: called with (steps done over all batches, total, mean error).

    Returns:
        The inversion: x the latents, `features` what the decoder gives at them, clipped and cropped like the media.

    Raises:
        ObvertError: for media that the model does not take.
    """
    began = clock(model.device)
    given = stacked(media)
    whole = model.batch(model.padded(given))
    ready = cropped(whole, given)
    if whole.shape != given.shape:
        sizes = " x ".join(map(str, whole.shape[2:]))
        warnings.warn(f"{model.card.name} takes sizes in multiples of {model.multiple}: padded to {sizes}", stacklevel=4)
    running = model.cast(PRECISIONS[precision])
    parts, batch = by_batches(
        lambda rows, done, total: search(running, ready[rows], share(progress, done, total)),
        len(ready),
        batch,
        what=f"{model.media}s",
        instead="try precision='fp16'",
        stacklevel=5,
    )
    solution = join(parts)
    seen = torch.cat([running.decode(z) for z in solution.x.split(batch)])
    return Inversion(
        method=name,
        settings=plain(method),
        model=model.card,
        target=given,
        seed=seed,
        seconds=clock(model.device) - began,
        versions=versions(),
        solution=solution,
        features=cropped(seen, given),
    )


def plain(method: Any) -> dict[str, Any]:
    """A method's fields, solvers and stop rules with their names, as JSON takes them."""
    found: dict[str, Any] = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(method).items()}
    for name in ("solver", "stop"):
        if isinstance(found.get(name), dict):
            found[name] = {"name": type(getattr(method, name)).__name__} | found[name]
    return found


def mismatch(solution: Solution) -> bool:
    """Whether, for most samples, the error grew from the first step on: the two halves do not belong together."""
    first, later = solution.trace[0], solution.trace[1:]
    grew = (later > GROWN * first).all(0) | (solution.status == Status.NON_FINITE)
    refused = (later == first).all(0) & (solution.status != Status.CONVERGED)  # each step raised it beyond the guard
    grew |= refused & (solution.terms.get("latent", first) > 0)
    grew &= first > ROUNDING  # below it, what a file cannot hold decides
    return len(later) > 0 and bool(grew.float().mean() > 0.5)


def shorter(solver: Solver[Any]) -> str:
    """What to try with a solver whose steps went too far."""
    lengths = [field.name for field in fields(solver) if field.name in ("damping", "step_size", "lr")]  # type: ignore[arg-type]
    return f"a smaller {lengths[0]} of {type(solver).__name__}, or " if lengths else ""
