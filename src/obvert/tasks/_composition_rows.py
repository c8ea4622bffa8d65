"""The experiments of compositional blindness: theory beside measurement, one row a seed; finished pieces are kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Generator, Tensor

from obvert.composition.operators import Vocabulary
from obvert.composition.orbits import orbit
from obvert.composition.repair.miner import Miner
from obvert.composition.scene_pairs import TEST, scene_pairs
from obvert.composition.text.parsing import from_template, parser
from obvert.composition.theory import identifiability, world
from obvert.composition.theory.depth import arrangements, hardest_margins, random_margins
from obvert.composition.theory.gap_link import constant_share, predicted, selected
from obvert.composition.theory.info_nce import gaussian_limit, gaussians, info_nce
from obvert.composition.theory.scm import Kind, scm
from obvert.core import DualEncoder, Progress
from obvert.store import Run
from obvert.zoo.draw import draw
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.scenes import caption, sample

Watch = Callable[[str], Progress | None]
Rows = list[dict[str, Any]]
SCMS: dict[Kind, str] = {"sentence": "sentence SCM", "tokens": "token SCM"}
"""Kind of the model to the task of its rows."""
SIDES = ("image", "text")
RHOS = (0.0, 0.5, 1.0)
WORLD, LIMIT, LINK, MARGINS, ORBITS = "composition world", "InfoNCE limit", "gap link", "margins by depth", "orbits of swaps"
GAP = "share of the gap that is constant"
DRAWN, SEARCHED = "drawn", "beam search"
DEPTH = 3
"""Edits of the deepest negatives."""
WIDTH = 1000
"""Edits of a sentence that the search looks at: all of them."""
CHAINS = 8
"""Drawn of each caption at each depth."""
GAUSSIANS = {"size": 4, "correlation": 0.8}
TEMPERATURE = 2.0
"""Of the Gaussians, whose features are not of length 1."""
LARGEST = 2048
"""Batch up to which the loss is followed to its limit."""
PAIRS = 8192
"""In all batches of one size."""
NOUNS = ("cat", "dog", "bird", "horse", "sheep")


def identified(seeds: int, steps: int, run: Run | None, progress: Watch) -> Rows:
    """Which latents the features of each side tell, for both models."""
    rows = []
    for kind, task in SCMS.items():
        for seed in range(seeds):
            watch = progress(f"{task}, seed {seed}")

            def make(kind: Kind = kind, seed: int = seed, watch: Progress | None = watch) -> dict[str, Tensor]:
                return identifiability.experiment(scm(kind, seed=seed), steps=steps, seed=seed, progress=watch)

            found = _kept(run, f"{kind}-{seed}", make)
            for side, block in product(SIDES, (*identifiability.BLOCKS, *identifiability.OF_CONTENT)):
                shares = {measure: found[f"{side}/{block}/{measure}"].item() for measure in ("linear", "kernel", "theory")}
                about = {"task": task, "model": side, "features": block, "seed": seed}
                rows.append(about | shares | {"kernel - theory": shares["kernel"] - shares["theory"]})
    return rows


def worlds(seeds: int, steps: int, run: Run | None, progress: Watch) -> Rows:
    """Losses against their floors, and which swaps are told, for each share of free arrangements."""
    rows = []
    for rho in RHOS:
        for seed in range(seeds):
            here = world.World(rho=rho, seed=seed)
            watch = progress(f"{WORLD}, rho {rho:g}, seed {seed}")

            def make(here: world.World = here, seed: int = seed, watch: Progress | None = watch) -> dict[str, Tensor]:
                return world.experiment(here, steps=steps, seed=seed, progress=watch)

            found = _kept(run, f"world-{rho:g}-{seed}", make)
            for name in (*world.ENCODERS, world.CANONICAL):
                measured = {key: found[f"{name}/{key}"].item() for key in ("loss", "swap", "group", "apart")}
                about = {"task": WORLD, "model": f"rho = {rho:g}", "features": name, "seed": seed}
                rows.append(about | {"floor": here.floors.get(name)} | measured)
    return rows


def to_the_limit(seeds: int) -> Rows:
    """The loss less log N of Gaussian features, for growing N, beside its limit."""
    limit = gaussian_limit(**GAUSSIANS, temperature=TEMPERATURE)  # type: ignore[arg-type]
    rows = []
    for seed in range(seeds):
        generator = Generator().manual_seed(seed)
        for power in range(1, LARGEST.bit_length()):
            n = 2**power
            batches = gaussians((PAIRS // n, n), **GAUSSIANS, generator=generator)  # type: ignore[arg-type]
            found = info_nce(*batches, TEMPERATURE).mean().item() - math.log(n)
            about = {"task": LIMIT, "model": "Gaussians", "features": f"N = {n}", "seed": seed, "N": n}
            rows.append(about | {"loss - log N": found, "limit": limit})
    return rows


def linked(model: DualEncoder, seeds: int, scenes: int, run: Run | None) -> Rows:
    """What texts tell apart and what pictures are selected by, kind by kind of perfect pairs."""
    rows = []
    for seed in range(seeds):

        def make(seed: int = seed) -> dict[str, Tensor]:
            items = [item for item in scene_pairs(scenes, TEST + 100 + seed)[0].items if item.crossed]
            pictures = model.image_features([p.float() / 255 for item in items for p in item.pictures]).unflatten(0, (-1, 2))
            texts = model.text_features([text for item in items for text in item.texts]).unflatten(0, (-1, 2))
            kinds = [item.category for item in items]
            found = {"gap": torch.tensor(constant_share(pictures[:, 0], texts[:, 0]))}
            for kind in dict.fromkeys(kinds):
                mine = torch.tensor([k == kind for k in kinds])
                (v, other), (t, twin) = pictures[mine].unbind(1), texts[mine].unbind(1)
                found[f"{kind}/selected"], found[f"{kind}/predicted"] = selected(v, other, t).mean(), predicted(t, twin).mean()
            return found

        found = _kept(run, f"link-{seed}", make)
        about = {"task": LINK, "model": model.card.name, "seed": seed}
        rows += [
            about | {"features": kind} | {key: found[f"{kind}/{key}"].item() for key in ("predicted", "selected")}
            for kind in sorted(name.removesuffix("/selected") for name in found if name.endswith("/selected"))
        ]
        rows.append(about | {"features": GAP, "predicted": 1.0, "selected": found["gap"].item()})
    return rows


def by_depth(model: DualEncoder, seeds: int, scenes: int, run: Run | None) -> Rows:
    """Margins of drawn negatives and of those that a beam search finds, at each depth."""
    read = parser("scenes")
    vocabulary = Vocabulary.of(read(caption(scene)) for scene in sample(512, HELD_OUT + 300, things=2))
    miner = Miner(vocabulary=vocabulary, depth=DEPTH, width=WIDTH)
    rows = []
    for seed in range(seeds):

        def make(seed: int = seed) -> dict[str, Tensor]:
            shown = sample(scenes, HELD_OUT + 301 + seed, things=2)
            pictures, said = model.image_features(list(draw(shown).float() / 255)), [read(caption(scene)) for scene in shown]
            drawn = random_margins(pictures, said, model.text_features, vocabulary, depth=DEPTH, count=CHAINS, seed=seed)
            return {DRAWN: drawn, SEARCHED: hardest_margins(pictures, said, model.text_features, miner)}

        found = _kept(run, f"margins-{seed}", make)
        rows += [
            {"task": MARGINS, "model": model.card.name, "features": name, "seed": seed}
            | {f"depth {k + 1}": value for k, value in enumerate(found[name].nanmean(0).tolist())}
            for name in (DRAWN, SEARCHED)
        ]
    return rows


def orbits() -> Rows:
    """Sentences within 0, 1, 2, ... swaps, counted, beside the formula."""
    rows = []
    for n in range(2, len(NOUNS) + 1):
        sentence = from_template(" behind ".join(f"a [object/animal:{noun}]" for noun in NOUNS[:n]))
        about = {"task": ORBITS, "model": "sentences", "features": f"{n} objects"}
        rows.append(about | {"reached": list(orbit(sentence, n).growth), "formula": arrangements(n, n)})
    return rows


def _kept(run: Run | None, name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    return run.piece(name, make) if run else make()
