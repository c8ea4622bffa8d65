"""Who competes in the concept experiments: the versions of MIMIC, each less one term, on concepts of single things."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from obvert.core import Objective
from obvert.methods.mimic import MIMIC, Version, variation
from obvert.parametrisations.free import Free
from obvert.parametrisations.multi_resolution import MultiResolution
from obvert.tasks import _verifier
from obvert.zoo.depict import depict
from obvert.zoo.exam import pictures
from obvert.zoo.scenes import sample

NAIVE, V1, V2, OURS = "naive", "v1", "v2", "ours"
VERSIONS: tuple[Version, ...] = ("naive", "v1", "v2", "ours")
PATCH = 8
"""Of the zoo's towers."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A method, and whether it is shown real pictures of the concept."""

    method: MIMIC
    real: bool = True


def contestants(steps: int) -> dict[str, Contestant]:
    """The four versions at so many steps."""
    told: dict[str, MIMIC] = {version: MIMIC(version=version, steps=steps).settled(PATCH) for version in VERSIONS}
    told[V1] = replace(told[V1], priors=(*(told[V1].priors or ()), verifier()))
    return {name: Contestant(method=method, real=name != NAIVE) for name, method in told.items()}


def ablated(steps: int) -> dict[str, Contestant]:
    """Each version less one term, named "VERSION - TERM"; and ours told the concept in words."""
    whole = {name: c.method for name, c in contestants(steps).items()}
    ours, grids = whole[OURS], MultiResolution(scale=0.02, fine=2)
    seams, tv, norm, stranger = whole[V1].priors or ()
    seams2, within, tv2, norm2 = whole[V2].priors or ()
    changed: dict[str, dict[str, Any]] = {
        f"{V1} - answer": {"reading": 0.0},
        f"{V1} - features": {"features": 0.0},
        f"{V1} - verifier": {"priors": (seams, tv, norm)},
        f"{V1} - seams": {"priors": (tv, norm, stranger)},
        f"{V1} - total variation": {"priors": (seams, norm, stranger)},
        f"{V1} - norm": {"priors": (seams, tv, stranger)},
        f"{V2} - answer": {"reading": 0.0},
        f"{V2} - features": {"features": 0.0},
        f"{V2} - seams": {"priors": (within, tv2, norm2)},
        f"{V2} - patches' variance": {"priors": (seams2, tv2, norm2)},
        f"{V2} - total variation": {"priors": (seams2, within, norm2)},
        f"{V2} - edges": {"priors": (seams2, within, variation(), norm2)},
        f"{V2} - norm": {"priors": (seams2, within, tv2)},
        f"{V2} - jitter": {"views": ()},
        f"{V2} - blur": {"solver": whole[V2].solver.inner},  # type: ignore[union-attr]
        f"{OURS} - answer": {"reading": 0.0},
        f"{OURS} - features": {"features": 0.0},
        f"{OURS} - views": {"views": ()},
        f"{OURS} - coarse to fine": {"parametrisation": grids},
        f"{OURS} - grids": {"parametrisation": Free(scale=0.5)},
        f"{OURS} - total variation": {"priors": ()},
    }
    less = {name: Contestant(method=replace(whole[name.split(" - ")[0]], **change)) for name, change in changed.items()}
    words = replace(ours, expect=True, features=0.05)  # .3 and .5 did worse on the concepts for tuning
    return less | {f"{OURS}, told in words": Contestant(method=words, real=False)}


@cache
def verifier() -> Objective:
    """Statistics of a network that is no part of the model and no judge: the latents that zoo/vae makes of scenes."""
    prior, _ = _verifier.verifier("zoo/vae", torch.stack(pictures(sample(256, seed=77))))
    return prior


def real_of(concept: str, count: int, seed: int) -> Tensor:
    """Scenes of a concept (count, 3, 64, 64) in [0, 1], as `obvert.zoo.depict` draws them."""
    return torch.stack(pictures(depict(concept, count, seed)))
