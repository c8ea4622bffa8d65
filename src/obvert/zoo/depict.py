"""Scenes that a caption tells of: one thing, or two and how they lie; whatever it does not say is drawn at random."""

from __future__ import annotations

import re
from dataclasses import replace
from zlib import crc32

import numpy as np

from obvert.core import ObvertError
from obvert.zoo.scenes import COLOURS, RELATIONS, SHAPES, Scene, sample_one

THING = re.compile(rf"an? ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})")
CAPTION = re.compile(rf"{THING.pattern}(?: ({'|'.join(RELATIONS)}|and) {THING.pattern})?")


def depict(caption: str, count: int, seed: int) -> list[Scene]:
    """Draw scenes of a caption.

    Args:
        caption: "a red circle", or two of them with left of, right of, above, below or and between.
        count: how many.
        seed: of what the caption does not say.

    Returns:
        `count` scenes; the first ones are the same whatever the count.

    Raises:
        ObvertError: for any other caption, or two things that are alike.
    """
    told = CAPTION.fullmatch(caption.strip().lower())
    if told is None or told.group(1, 2) == told.group(4, 5):
        raise ObvertError(f'need a caption such as "a red star left of a blue ring" to draw scenes of, got {caption[:60]!r}')
    kinds = [told.group(1, 2), *([told.group(4, 5)] if told[3] else [])]
    rng = np.random.default_rng([seed, crc32(caption.encode())])
    found: list[Scene] = []
    while len(found) < count:
        scene = sample_one(rng, things=len(kinds))
        things = tuple(replace(thing, colour=c, shape=s) for thing, (c, s) in zip(scene.things, kinds, strict=True))
        scene = replace(scene, things=things)
        if scene.relation not in (None, told[3]) and told[3] != "and":
            continue
        found.append(scene)
    return found
