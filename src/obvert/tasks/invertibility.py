"""Every experiment of *Investigating the Invertibility of Multimodal Latent Spaces* on the zoo, and the ones it asks for next.

Captioner, recogniser and text-to-image model are inverted naively, as published, and regularised; independent models judge.

References:
    | Investigating the Invertibility of Multimodal Latent Spaces (2025)
    | https://arxiv.org/abs/2507.23010
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.media import read
from obvert.models import load_reader, load_writer
from obvert.provenance import versions
from obvert.report import Block, Report, Table, Text
from obvert.store import Run
from obvert.tasks import _invertibility_readers as readers
from obvert.tasks import _invertibility_writers as writers
from obvert.tasks._claims import STUDENT, Claim, summarise
from obvert.tasks._fit import stacked
from obvert.tasks._judges import TARGETS, judges_of
from obvert.tasks._judges import recordings as recorded
from obvert.tasks.writing import readers_of
from obvert.zoo.exam import HELD_OUT, pictures
from obvert.zoo.scenes import COLOURS, SHAPES, Mention, Scene, caption, sample

READERS = ("zoo/captioner", "zoo/speech-recogniser")
WRITERS = ("zoo/diffusion", "zoo/speech-synthesiser")
Given = tuple[list[str], Callable[[int], Tensor]]
"""Targets, and seed -> real media (B, C, ...) that should be read as them."""
CHOSEN_ON = ("a red circle", "a blue star", "a green ring", "a yellow heart")
"""Captions on which the settings of `CaptionInversion.regularised` were chosen."""
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
    steps = dict.fromkeys(readers.PRESETS, size.steps)
    rows: list[dict[str, Any]] = []
    blocks: list[Block] = []
    found: list[Claim] = []
    given = {"picture": scenes(size.targets), "sound": recordings(size.targets)}
    for name in READERS:
        reader = load_reader(name)
        texts, real = given[reader.media]
        judges = judges_of(name, reader)
        more, shown = readers.compete(reader, judges, texts, real, steps=steps, seeds=size.seeds, run=run, progress=progress)
        rows, blocks, found = rows + more, blocks + shown, found + readers.claims(more, name, reader.media)
    for name in WRITERS:
        writer = load_writer(name)
        texts, real = given[writer.media]
        more, shown = writers.compete(
            writer, readers_of(name), texts, real, steps=steps, seeds=size.seeds, run=run, progress=progress
        )
        rows, blocks, found = rows + more, blocks + shown, found + writers.claims(more, name)
    claims = [claim.row() for claim in found]
    means = summarise(rows)
    tables: list[Block] = [*(readers.table(means, name) for name in READERS), *(writers.table(means, name) for name in WRITERS)]
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
    "Independent readers were trained from other seeds at other sizes; the dual encoder saw none of them.",
]


def scenes(count: int) -> Given:
    """Single things, and held-out scenes of them."""
    targets = kinds(count)
    return targets, lambda seed: torch.stack(pictures(of_kinds(targets, seed)))


def recordings(count: int) -> Given:
    """Phrases, and held-out recordings of them, the same for every seed; ObvertError for more than there are."""
    if count > TARGETS:
        raise ObvertError(f"need at most {TARGETS} targets, of which there are recordings, got {count}")
    files, model = recorded()[:count], load_reader("zoo/speech-recogniser")
    sounds = stacked([read(file, model).data for file in files])
    return [file.stem.replace("-", " ") for file in files], lambda seed: sounds


def kinds(count: int) -> list[str]:
    """Captions of single things, colours and shapes in turn: "an orange square", ...; none that a preset was chosen on."""
    found = []
    for i in range(len(COLOURS) * len(SHAPES)):
        colour, shape = COLOURS[i % len(COLOURS)], SHAPES[(i + i // len(COLOURS)) % len(SHAPES)]
        found.append(f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {shape}")
    return [text for text in found if text not in CHOSEN_ON][:count]


def of_kinds(targets: Sequence[str], seed: int) -> list[Scene]:
    """Held-out scenes of one thing, whose plain captions are the targets."""
    wanted: dict[str, Scene] = {}
    for scene in sample(4096, HELD_OUT + 201 + 2 * seed, things=1):
        wanted.setdefault(caption(scene, PLAIN), scene)
    return [wanted[target] for target in targets]
