"""Edit pictures by words: find the noise of a picture under one caption, draw from it under another.

What the captions share stays, as far as the inversion is exact: drawn under its own caption again, the picture comes
back. Guidance towards the new caption moves more than that; with a mask, what lies outside it is put back after every
step, from the walk under the old caption, and at the end from the latents of the picture itself.

References:
    | Prompt-to-Prompt Image Editing with Cross-Attention Control (Hertz et al., 2022), for editing real pictures so
    | https://arxiv.org/abs/2208.01626
    | Blended Latent Diffusion (Avrahami et al., 2023), for the mask
    | https://arxiv.org/abs/2206.02779
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from obvert.core import Diffusion, Inversion, ObvertError, Progress, Status
from obvert.core.batches import by_batches
from obvert.core.diffusion import sample
from obvert.methods.diffusion_inversion import DiffusionInversion
from obvert.solvers.forward import ForwardStep


@dataclass(frozen=True, kw_only=True)
class Edited:
    """Pictures, before and after."""

    pictures: Tensor
    """(B, C, H, W) drawn under the target captions, within the autoencoder's bounds."""
    reconstructed: Tensor
    """(B, C, H, W) drawn under the source captions again."""
    inversion: Inversion
    """The noise that both were drawn from."""
    rows: list[dict[str, Any]]
    """For the report, one a picture. Mean squared errors of pixels against the picture given: "autoencoder" alone,
    "reconstruction" under the source caption, "untouched" by the edit outside the mask, None where all is inside;
    "latents": the inversion's own error, squared and relative; "steps": how often the network was asked for the noise;
    "status": of the inversion."""


def edit(
    model: Diffusion,
    pictures: Tensor,
    source_captions: Sequence[str],
    target_captions: Sequence[str],
    *,
    masks: Tensor | None = None,
    keep_background: bool = False,
    method: DiffusionInversion | None = None,
    guidance: float = 3.0,
    progress: Progress | None = None,
) -> Edited:
    """Edit pictures.

    Args:
        model: a text-to-image model.
        pictures: (B, C, H, W) within the bounds of its autoencoder, of the size it was trained for.
        source_captions: what each shows.
        target_captions: what each shall show.
        masks: (B, 1, H, W), 1 where a picture may change and 0 where not; without them nothing is said of the rest.
        keep_background: put back what lies outside the masks; latents that the mask touches at all may change.
        method: of inversion; backward Euler by fixed-point iteration when None.
        guidance: towards the target captions; that of the source captions is the method's own.
        progress: of the inversion, as `method` calls it.

    Returns:
        The edited pictures and what is known of them.

    Raises:
        ObvertError: for captions or masks that do not fit the pictures, or guidance that is no number.
    """
    count = len(pictures)
    if len(source_captions) != count or len(target_captions) != count:
        raise ObvertError(
            f"need two captions for each of {count} pictures, got {len(source_captions)} and {len(target_captions)}"
        )
    if masks is not None and tuple(masks.shape) != (count, 1, *pictures.shape[2:]):
        raise ObvertError(f"need masks of shape {(count, 1, *pictures.shape[2:])}, got {tuple(masks.shape)}")
    if masks is None and keep_background:
        raise ObvertError("need masks to keep the background, got none")
    if not math.isfinite(guidance):
        raise ObvertError(f"need a finite guidance, got {guidance}")
    method = method or DiffusionInversion(solver=ForwardStep(step_size=1.0))
    encoded, _ = by_batches(
        lambda rows, done, total: model.autoencoder.encode(pictures[rows]), count, method.batch, what="pictures", stacklevel=3
    )
    latents = torch.cat(encoded)
    found = method(model, latents, source_captions, progress=progress)
    allowed = None if masks is None else (masks > 0).to(model.device, torch.float32)

    def draw(rows: slice, done: int, total: int) -> tuple[Tensor, Tensor, Tensor]:
        keep = allowed[rows] if allowed is not None and keep_background else None
        walk = (found.x[rows], latents[rows], source_captions[rows], target_captions[rows], keep)
        ways = (_draw(model, method, guidance, *walk), found.features[rows], latents[rows])
        return tuple(map(model.autoencoder.decode, ways))  # type: ignore[return-value]

    parts, _ = by_batches(draw, count, method.batch, what="pictures", stacklevel=3)
    seen, again, plain = map(torch.cat, zip(*parts, strict=True))
    given = pictures.to(seen)
    untouched = [None] * count if allowed is None else _outside(seen - given, allowed)
    errors = [(x - given).square().flatten(1).mean(1).tolist() for x in (plain, again)]
    return Edited(
        pictures=seen,
        reconstructed=again,
        inversion=found,
        rows=[
            {
                "source": source_captions[i],
                "target": target_captions[i],
                "autoencoder": errors[0][i],
                "reconstruction": errors[1][i],
                "untouched": untouched[i],
                "latents": found.error[i].item(),
                "steps": int(found.steps[i]),
                "status": Status(int(found.status[i])).name.lower(),
            }
            for i in range(count)
        ],
    )


def _draw(
    model: Diffusion,
    method: DiffusionInversion,
    guidance: float,
    noise: Tensor,
    latents: Tensor,
    source: Sequence[str],
    target: Sequence[str],
    allowed: Tensor | None,
) -> Tensor:
    """Latents under the target captions; outside the masks those of the walk under the source captions."""
    if allowed is None:
        return sample(model, target, steps=method.steps, guidance=guidance, noise=noise)
    inside = adaptive_max_pool2d(allowed, latents.shape[-2:])
    path: dict[int, Tensor] = {}

    def remember(step: int, z: Tensor) -> Tensor:
        path[step] = z
        return z

    sample(model, source, steps=method.steps, guidance=method.guidance, noise=noise, after=remember)
    path[method.steps] = latents

    def put_back(step: int, z: Tensor) -> Tensor:
        return inside * z + (1 - inside) * path[step]

    return sample(model, target, steps=method.steps, guidance=guidance, noise=noise, after=put_back)


def _outside(wrong: Tensor, allowed: Tensor) -> list[float | None]:
    """Mean squared error where the masks are 0; None where they are nowhere."""
    outside = (1 - allowed).expand_as(wrong).flatten(1)
    sums, sizes = (wrong.square().flatten(1) * outside).sum(1), outside.sum(1)
    return [(s / n).item() if n > 0 else None for s, n in zip(sums, sizes, strict=True)]
