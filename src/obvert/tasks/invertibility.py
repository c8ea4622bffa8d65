"""Every experiment of *Investigating the Invertibility of Multimodal Latent Spaces* on the zoo, and the ones it asks for next.

Captioner, recogniser and text-to-image model are inverted naively, as published, and regularised; independent models judge.

References:
    | Investigating the Invertibility of Multimodal Latent Spaces (2025)
    | https://arxiv.org/abs/2507.23010
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from obvert.core import ObvertError
from obvert.core.drawing import as_writer
from obvert.models import load_diffusion, load_reader
from obvert.provenance import versions
from obvert.report import Block, Report, Table, Text
from obvert.store import Run
from obvert.tasks import _invertibility_readers as readers
from obvert.tasks import _invertibility_writers as writers
from obvert.tasks._claims import STUDENT, summarise
from obvert.tasks.reading import judges_of
from obvert.tasks.writing import readers_of
from obvert.zoo.exam import HELD_OUT, pictures
from obvert.zoo.scenes import COLOURS, SHAPES, Mention, Scene, caption, sample

CAPTIONER, GENERATOR = "zoo/captioner", "zoo/diffusion"
PLAIN = Mention(size=False, texture=False, tone=False)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done."""

    targets: int = 8
    """Texts, or media, a seed."""
    seeds: int = 3
    """Seeds, 2 to 10."""
    steps: int = 300
    """Steps of every search; 10,000, 3,000 and some hundred were published."""

    def __post_init__(self) -> None:
        if self.targets < 2 or self.seeds not in STUDENT or self.steps < 1:
            raise ObvertError(f"need 2 targets or more, 2 to 10 seeds and a step or more, got {self}")


def invertibility(
    folder: Path, *, size: Size | None = None, run: Run | None = None, progress: readers.Watch = lambda name: None
) -> Report:
    """Run every experiment.

    Args:
        folder: unused: nothing is trained on the way.
        size: how much is done.
        run: where finished searches are kept.
        progress: gives a progress callback for a name.

    Returns:
        The report.
    """
    size = size or Size()
    steps = {readers.NAIVE: size.steps, readers.OURS: size.steps}
    captioner = load_reader(CAPTIONER)
    targets = kinds(size.targets)
    rows, blocks = readers.compete(
        captioner,
        judges_of(CAPTIONER, "picture"),
        targets,
        lambda seed: torch.stack(pictures(of_kinds(targets, seed))),
        steps=steps,
        seeds=size.seeds,
        run=run,
        progress=progress,
    )
    found = readers.claims(rows, CAPTIONER, "picture")
    generator = as_writer(load_diffusion(GENERATOR))
    more, shown = writers.compete(
        generator,
        readers_of(GENERATOR),
        lambda seed: (targets, torch.stack(pictures(of_kinds(targets, seed)))),
        steps=steps,
        seeds=size.seeds,
        run=run,
        progress=progress,
    )
    rows += more
    found += writers.claims(rows, GENERATOR)
    claims = [claim.row() for claim in found]
    means = summarise(rows)
    tables: list[Block] = [readers.table(means, CAPTIONER), writers.table(means, GENERATOR)]
    held = sum(claim["holds here"] == "yes" for claim in claims)
    told = [
        {"task": "claims", "model": "zoo", "features": c["claim"]} | {k: v for k, v in c.items() if k != "claim"} for c in claims
    ]
    return Report(
        title="The invertibility of multimodal models, on the zoo",
        lead=f"{held} of {len(claims)} claims hold here, over {size.seeds} seeds of {size.targets} targets.",
        blocks=[
            Table(title="Claims and what holds here", rows=claims, intervals={"here": "here_interval"}, note=CLAIMS),
            *tables,
            *blocks,
            *shown,
            Text(title="How to read this", lines=READING),
        ],
        rows=means + told,
        meta={"size": vars(size), "versions": versions()},
    )


CLAIMS = "Differences as told, means over seeds with 95 % intervals. Unclear: the interval holds 0."
READING = [
    "Data are held-out scenes of the same kinds, and true prompts: what the judges give at best. Noise is where the naive "
    "search starts: what they give for nothing.",
    "A naive search lies in the space of the network's input; saved as a picture it is clipped, and may no longer be read so.",
    "The other captioner was trained from another seed at another width; the dual encoder saw neither of them.",
]


def kinds(count: int) -> list[str]:
    """Captions of single things, colours and shapes in turn: "a red circle", "an orange square", ..."""
    found = []
    for i in range(count):
        colour, shape = COLOURS[i % len(COLOURS)], SHAPES[(i + i // len(COLOURS)) % len(SHAPES)]
        found.append(f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {shape}")
    return found


def of_kinds(targets: Sequence[str], seed: int) -> list[Scene]:
    """Held-out scenes of one thing, whose plain captions are the targets."""
    wanted: dict[str, Scene] = {}
    for scene in sample(4096, HELD_OUT + 201 + 2 * seed, things=1):
        wanted.setdefault(caption(scene, PLAIN), scene)
    return [wanted[target] for target in targets]
