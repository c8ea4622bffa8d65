"""What a repair is taught and examined on; by default exact pairs of Scenes whose arrangements are kept apart.

Learned from are pairs of which neither scene's arrangement is unseen, see `obvert.composition.repair.arrangements`; asked are
pairs of which both are. Scenes for validation have even seeds, those of the test odd ones, and no model of the zoo was
trained on either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from obvert.composition.repair.arrangements import unseen
from obvert.composition.repair.images import CachedImages
from obvert.composition.repair.lessons import Lesson, Lessons
from obvert.composition.scene_pairs import KINDS, SCENES, Pair, said_again, stream
from obvert.core import Contrast, DualEncoder, ObvertError, Progress
from obvert.store import Run
from obvert.tasks._repair_exam import Exam, Shots
from obvert.zoo.counterfactuals import replace
from obvert.zoo.exam import HELD_OUT, caption_of, kind, kinds, pictures
from obvert.zoo.scenes import Scene, caption, sample, sample_mention

LEARN, VALIDATION, TEST = HELD_OUT - 100_000, HELD_OUT + 2000, HELD_OUT + 2009
"""Seeds."""
KINDS_OF_THINGS = "64 kinds of things"
CHUNK = 512
"""Scenes drawn and encoded at a time."""
RARE = 8
"""So many times more scenes are looked at where arrangements must be unseen."""
NO_PAIRS = (
    "no real pairs, two by two, are at hand: a model learns to reject the odd text, and what it learns did not hold on unseen "
    "arrangements; give pairs of pictures with --contrasts"
)


@dataclass(frozen=True, kw_only=True)
class Course:
    """What a repair is taught and examined on."""

    name: str
    lessons: Lessons
    validation: Exam
    """For choices."""
    test: Exam
    """For results."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many Scenes are drawn."""

    pairs: int = 1500
    """Of each operator and atom, to learn from."""
    test: int = 300
    """The same, of unseen arrangements, to test; a third as many to choose on."""
    shots: int = 1024
    """Scenes of one thing, for zero-shot recognition of 64 kinds."""

    def __post_init__(self) -> None:
        if min(self.pairs, self.shots) < 1 or self.test < 3:
            raise ObvertError(f"need pairs and shots of 1 or more and test of 3 or more, got {self}")


def from_scenes(model: DualEncoder, size: Size, *, run: Run | None = None, progress: Progress | None = None) -> Course:
    """Exact pairs of Scenes.

    Args:
        model: whose features they are.
        size: how many.
        run: where finished pieces are kept.
        progress: called with scenes done, all of them, and 0.

    Returns:
        The course.
    """
    taught, tried, tested = (
        _pairs(size.pairs, LEARN, False),
        _pairs(size.test // 3, VALIDATION, True),
        _pairs(size.test, TEST, True),
    )
    shots = kinds_of_things(model, size.shots)
    scenes = [scene for pair in (*taught, *tried, *tested) for scene in (pair.before, pair.after)]
    features = _encoded(model, list(dict.fromkeys(scenes)), run, progress)
    rng = np.random.default_rng(LEARN)
    kept = [caption(scene, sample_mention(rng)) for scene in sample(2000, LEARN + 1)]
    place = {scene: row for row, scene in enumerate(dict.fromkeys(scene for p in taught for scene in (p.before, p.after)))}
    alone = sample(size.pairs, LEARN + 2, things=1)
    items = [_lesson(pair, place) for pair in taught] + [_alone(scene, len(place) + i, rng) for i, scene in enumerate(alone)]
    features |= _encoded(model, alone, run.within("alone") if run else None, None)
    return Course(
        name="Scenes",
        lessons=Lessons(images=_images([*place, *alone], features), items=items, kept=list(dict.fromkeys(kept))),
        validation=_exam(tried, shots.half(0), features),
        test=_exam(tested, shots.half(1), features),
    )


def kinds_of_things(model: DualEncoder, count: int) -> Shots:
    """Scenes of one thing, for zero-shot recognition of 64 kinds: as many for choices as for the test."""
    scenes = [scene for pair in zip(*(sample(count, HELD_OUT + i, things=1) for i in (0, 1)), strict=True) for scene in pair]
    images = _images(scenes, _encoded(model, scenes, None, None))
    labels = torch.tensor([kind(scene) for scene in scenes])
    return Shots(classes=[caption_of(name) for name in kinds()], images=images, labels=labels, told=KINDS_OF_THINGS)


def _pairs(count: int, seed: int, wanted: bool) -> list[Pair]:
    """So many pairs of each operator and atom, the arrangements of both scenes unseen, or neither."""
    found = []
    for i, (operator, atom, depth) in enumerate(KINDS):
        if depth == 1 and operator != "add":
            most = (RARE if wanted else 2) * SCENES * count
            found += list(islice(_kept(operator, atom, (seed, i), most, wanted), count))
    return found


def _kept(operator: str, atom: str, seed: tuple[int, int], most: int, wanted: bool) -> Iterator[Pair]:
    for pair in stream(operator, atom, 1, seed=seed, most=most):
        if unseen(pair.before) == unseen(pair.after) == wanted:
            yield pair


def _encoded(model: DualEncoder, scenes: list[Scene], run: Run | None, progress: Progress | None) -> dict[Scene, Tensor]:
    rows = []
    for start in range(0, len(scenes), CHUNK):

        def make(start: int = start) -> dict[str, Tensor]:
            return {"image": model.image_features(pictures(scenes[start : start + CHUNK])).cpu()}

        rows.append((run.piece(f"scenes-{start}", make) if run else make())["image"])
        if progress:
            progress(min(start + CHUNK, len(scenes)), len(scenes), 0.0)
    return dict(zip(scenes, torch.cat(rows), strict=True))


def _images(scenes: list[Scene], features: dict[Scene, Tensor]) -> CachedImages:
    """Scenes, drawn anew where they are asked for."""
    return CachedImages(
        features=torch.stack([features[scene] for scene in scenes]),
        load=lambda rows: pictures([scenes[row] for row in rows]),
    )


def _lesson(pair: Pair, place: dict[Scene, int]) -> Lesson:
    return Lesson(
        texts=pair.captions,
        pictures=(place[pair.before], place[pair.after]),
        again=tuple(text for _, text in said_again(pair)),
        category=f"{pair.operator} {pair.atom}",
    )


def _alone(scene: Scene, row: int, rng: np.random.Generator) -> Lesson:
    """A scene of one thing, told as people do, and what is wrong of it: what was known already is practised, too."""
    mention = sample_mention(rng)
    own = caption(scene, mention)
    others = [caption(replace(scene, atom, rng), mention) for atom in ("object", "colour") for _ in range(4)]
    wrong = tuple((text, 1) for text in dict.fromkeys(others) if text != own)
    return Lesson(texts=(own,), pictures=(row,), wrong=wrong, category="one thing")


def _exam(pairs: Sequence[Pair], shots: Shots, features: dict[Scene, Tensor]) -> Exam:
    items = [
        Contrast(
            texts=pair.captions,
            right=((0,), (1,)),
            category=f"{pair.operator} {pair.atom}",
            operator=pair.operator,
            atom=pair.atom,
        )
        for pair in pairs
    ]
    images = _images([scene for pair in pairs for scene in (pair.before, pair.after)], features)
    return Exam(items=items, rows=[(2 * i, 2 * i + 1) for i in range(len(pairs))], images=images, shots=shots)
