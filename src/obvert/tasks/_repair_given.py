"""What a repair is taught and examined on, from the user's own captions, pictures and benchmarks.

Contrasts are cut in halves that share no right text and no picture: one is learned from; the other is cut again, for choices and
for the test. Of captions, hard negatives are mined for the half that is learned from; natural pairs among them are real pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.composition.operators import Vocabulary
from obvert.composition.repair.images import CachedImages
from obvert.composition.repair.lessons import Lesson, Lessons
from obvert.composition.repair.miner import Miner
from obvert.composition.text.canonical import canonical
from obvert.composition.text.sentence import Parser
from obvert.core import Contrast, ContrastSet, DualEncoder, ObvertError, PictureSet, Progress
from obvert.io import read_images
from obvert.store import Run
from obvert.tasks._apply import prompt
from obvert.tasks._audit_answers import halves
from obvert.tasks._audit_seen import Seen, key, see, unread
from obvert.tasks._encode import encode
from obvert.tasks._repair_course import NO_PAIRS, Course
from obvert.tasks._repair_exam import Exam, Shots

LEAST = 8
"""Contrasts with pictures without which there is nothing to cut in halves twice."""
OWN_TEXTS = "each picture and its own text"
Watch = Callable[[str], Progress | None]


def from_folder(model: DualEncoder, pictures: PictureSet, *, run: Run | None = None, progress: Progress | None = None) -> Shots:
    """Pictures in a folder of each class, for zero-shot recognition; every other one is for choices, the rest for the test."""
    found = encode(model, pictures, run=run.within("shots") if run else None, progress=progress)
    classes = found.pictures.classes
    return Shots(
        classes=[prompt(name) for name in classes],
        images=_images(found.features, found.pictures.paths),
        labels=torch.tensor(found.pictures.labels),
        told=f"{len(classes)} classes",
    )


def from_contrasts(
    model: DualEncoder,
    given: ContrastSet,
    shots: Shots | None,
    *,
    miner: Miner | None = None,
    parse: Parser | None = None,
    warnings: Sequence[str] = (),
    run: Run | None = None,
    seed: int = 0,
    progress: Watch = lambda name: None,
) -> Course:
    """A benchmark's contrasts, or those made of captions.

    Args:
        model: whose features they are.
        given: contrasts with pictures.
        shots: for zero-shot recognition; without them, pictures of the test are matched with their own texts.
        miner: finds the wrong texts of pictures that have no real pair, in place of those given; without its vocabulary, which is
            that of the texts that are learned from.
        parse: finds the atoms of a text, for the miner.
        warnings: what a reader must know of the contrasts.
        run: where finished pieces are kept.
        seed: of the halves.
        progress: gives a progress callback for a name.

    Returns:
        The course.

    Raises:
        ObvertError: for too few contrasts whose pictures could be read.
    """
    seen = see(model, given.items, (), run=run, progress=progress("pictures and texts"))
    items = [item for item in given.items if seen.has(item)]
    said = [*given.notes, *warnings]
    if cut := unread(seen):
        said.append(f"of {cut} texts the model does not read the end: they are longer than its context")
    if len(items) < len(given.items):
        said.append(f"{len(items):,} of {len(given.items):,} contrasts have pictures that could be read; the others are left out")
    if len(items) < LEAST:
        raise ObvertError(f"need {LEAST} contrasts with pictures or more to learn from and to test, got {len(items)}")
    learn, asked = _cut(items, seed)
    tried, tested = _cut(asked, seed)
    lessons = _lessons(seen, learn, miner, parse)
    if not lessons.crossed:
        said.append(NO_PAIRS)
    if shots is None:
        said.append("no pictures for zero-shot recognition are given (--zero-shot DIR): what it loses is not measured")
    return Course(
        name=given.name,
        lessons=lessons,
        validation=_exam(seen, tried, shots.half(0) if shots else _matching(seen, tried)),
        test=_exam(seen, tested, shots.half(1) if shots else _matching(seen, tested)),
        warnings=tuple(said),
    )


def _cut(items: list[Contrast], seed: int) -> tuple[list[Contrast], list[Contrast]]:
    second = halves([replace(item, texts=_right(item)) for item in items], seed)
    parts = [[item for item, there in zip(items, second, strict=True) if there == wanted] for wanted in (False, True)]
    if not all(parts):
        raise ObvertError(
            "need contrasts that can be cut in parts that share no right text and no picture, got ones that all hang together"
        )
    return parts[0], parts[1]


def _right(item: Contrast) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.texts[i] for right in item.right for i in right))


def _lessons(seen: Seen, items: list[Contrast], miner: Miner | None, parse: Parser | None) -> Lessons:
    """Real pairs as they are; of the others each text and picture once, with its wrong texts."""
    found = [_pair(seen, item) for item in items if _whole(item)]
    wrong: dict[tuple[str, int], dict[str, int]] = {}
    told: dict[int, dict[str, None]] = {}
    for item in items:
        for picture, right in zip(item.pictures, item.right, strict=False):
            row = seen.pictures[key(picture)]
            told.setdefault(row, {}).update(dict.fromkeys(item.texts[i] for i in right))
            if not _whole(item):
                mine = wrong.setdefault((item.texts[right[0]], row), {})
                mine |= {text: item.depth for i, text in enumerate(item.texts) if i not in right}
    if miner and parse and wrong:
        wrong = _mined(seen, list(wrong), told, miner, parse)
    for (text, row), mine in wrong.items():
        others = tuple(other for other in told[row] if other != text)
        again = tuple((other, depth) for other, depth in mine.items() if other not in told[row])
        found.append(Lesson(texts=(text,), pictures=(row,), wrong=again, again=others, category="one picture"))
    return Lessons(
        images=_images(seen.image, seen.places),
        items=found,
        kept=list(dict.fromkeys(text for mine in told.values() for text in mine)),
    )


def _mined(
    seen: Seen, asked: list[tuple[str, int]], told: dict[int, dict[str, None]], miner: Miner, parse: Parser
) -> dict[tuple[str, int], dict[str, int]]:
    sentences = {text: parse(text) for text in dict.fromkeys(text for mine in told.values() for text in mine)}
    miner = replace(miner, vocabulary=Vocabulary.of(sentences.values()))
    found = miner(
        seen.image[[row for _, row in asked]],
        [sentences[text] for text, _ in asked],
        lambda texts: seen.model.text_features(texts).cpu(),
        [{canonical(sentences[text]) for text in told[row]} for _, row in asked],
    )
    return {one: {neg.sentence.text: neg.depth for neg in mine} for one, mine in zip(asked, found, strict=True)}


def _whole(item: Contrast) -> bool:
    return item.crossed and len(item.pictures) == 2


def _pair(seen: Seen, item: Contrast) -> Lesson:
    first, second = (seen.pictures[key(picture)] for picture in item.pictures)
    return Lesson(texts=item.texts, pictures=(first, second), category=item.category)


def _exam(seen: Seen, items: list[Contrast], shots: Shots) -> Exam:
    rows = [[seen.pictures[key(picture)] for picture in item.pictures] for item in items]
    asked = {row: i for i, row in enumerate(dict.fromkeys(row for mine in rows for row in mine))}
    images = _images(seen.image, seen.places).part(list(asked))
    return Exam(items=items, rows=[[asked[row] for row in mine] for mine in rows], images=images, shots=shots)


def _images(features: Tensor, places: Sequence[Any]) -> CachedImages:
    """Pictures that are read anew where they are asked for."""
    return CachedImages(features=features, load=lambda rows: read_images([places[row] for row in rows]))


def _matching(seen: Seen, items: list[Contrast]) -> Shots:
    """Each picture once with its first right text, among all of these."""
    own: dict[Any, str] = {}
    pictures: list[Any] = []
    for item in items:
        for picture, right in zip(item.pictures, item.right, strict=False):
            if key(picture) not in own:
                own[key(picture)] = item.texts[right[0]]
                pictures.append(picture)
    classes = {text: row for row, text in enumerate(dict.fromkeys(own.values()))}
    labels = torch.tensor([classes[own[key(picture)]] for picture in pictures])
    images = _images(seen.image, seen.places).part([seen.pictures[key(picture)] for picture in pictures])
    return Shots(classes=list(classes), images=images, labels=labels, told=OWN_TEXTS)


def from_files(name: str, root: Path, images: Path | None) -> ContrastSet:
    """A benchmark with its pictures, see `obvert.contrasts.read`; ObvertError where no contrast has any."""
    from obvert.contrasts import read

    found = read(name, root, images)
    if not any(item.pictures for item in found.items):
        raise ObvertError(f"need the pictures of {name} to repair a model, got none; say where they lie with --images DIR")
    return found
