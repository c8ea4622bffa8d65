"""Counterfactuals of a scene: pairs that differ in one atom and in nothing else.

An atom is what one word or phrase of a caption says: the object (a shape), its colour, size or texture, or the
relation of the two things. It is swapped between the two things, replaced by another, or a whole thing is added.
What is not touched, nuisances and background and noise included, stays identical to the last bit.

References:
    | SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality (Hsieh et al., 2023)
    | https://arxiv.org/abs/2306.14610
"""

from __future__ import annotations

import dataclasses
import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from obvert.zoo.scenes import COLOURS, RADII, SHAPES, SIDE, SIZES, TEXTURES, Scene, Thing, caption, sample_one

ATOMS = ("object", "colour", "size", "texture", "relation")
"""What can be swapped or replaced; "attribute" is taken for "colour"."""
FIELDS = {
    "object": ("shape",),
    "attribute": ("colour",),
    "colour": ("colour",),
    "size": ("size", "radius"),
    "texture": ("texture",),
    "relation": ("x", "y"),
}
"""The fields of a thing that an atom lives in."""
NAMES = {"shape": SHAPES, "colour": COLOURS, "size": SIZES, "texture": TEXTURES}
MARGIN = 1 - 1e-9
"""Least distance in pixels between two things, and between a thing and the edge; mirroring may round."""
SLANT = 0.4
"""Across over along: beyond it an added thing would lie too diagonally for its relation to be clear."""


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """A scene and the scene it becomes."""

    operator: str
    """swap, replace or add."""
    atom: str
    """What was changed; "object" where a thing was added."""
    before: Scene
    after: Scene

    @property
    def captions(self) -> tuple[str, str]:
        """The full captions of both scenes."""
        return caption(self.before), caption(self.after)


def swap(scene: Scene, atom: str) -> Scene:
    """Exchange an atom between the two things; a second swap restores the scene exactly.

    Args:
        scene: of two things.
        atom: "object" exchanges the shapes alone; "size" the radii with the sizes; "relation" the two positions.

    Returns:
        The other scene.

    Raises:
        ValueError: there is one thing, both are alike in this atom, or one would leave the picture.
    """
    fields = _fields(scene, atom, two=True)
    first, second = scene.things
    to_first, to_second = ({name: getattr(thing, name) for name in fields} for thing in (second, first))
    after = _with(scene, dataclasses.replace(first, **to_first), dataclasses.replace(second, **to_second))
    if caption(after) == caption(scene):
        raise ValueError(f"a swap needs two things that differ in their {atom}, got {caption(scene)!r}")
    if atom in {"size", "relation"} and not fits(after):
        raise ValueError(f"swapping the {atom} needs room, but a thing would leave the picture")
    return after


def replace(scene: Scene, atom: str, rng: np.random.Generator) -> Scene:
    """Give one thing another object, colour, size or texture, or both another relation.

    A size changes with its radius, which keeps its relative place in the range of its size. A relation is changed by
    mirroring both things at the centre line, or by exchanging rows and columns, so that both stay inside the picture.

    Args:
        scene: of one or two things; two for "relation".
        atom: what to replace.
        rng: picks evenly among all replacements that leave two things apart and unlike.

    Returns:
        The other scene.

    Raises:
        ValueError: no replacement fits the scene.
    """
    name, *_ = _fields(scene, atom, two=atom == "relation")
    options = _rearranged(scene) if atom == "relation" else _renamed(scene, name)
    if not options:
        raise ValueError(f"replacing the {atom} needs a scene in which another one fits, got {caption(scene)!r}")
    return options[int(rng.integers(len(options)))]


def add(scene: Scene, rng: np.random.Generator, *, tries: int = 1000) -> Scene:
    """Add a second thing, apart from the first, unlike it and clearly related to it.

    Args:
        scene: of one thing.
        rng: draws the thing.
        tries: how many things to draw before giving up.

    Returns:
        The scene of two things, the old one first.

    Raises:
        ValueError: there are two things already, or no drawn thing found room.
    """
    if len(scene.things) != 1:
        raise ValueError(f"adding needs a scene of one thing, got {len(scene.things)}")
    for _ in range(tries):
        after = _with(scene, *scene.things, *sample_one(rng).things)
        if fits(after) and _unlike(after) and _clear(after):
            return after
    raise ValueError(f"adding needs room for a second thing, none found in {tries} tries")


def counterfactuals(scene: Scene, rng: np.random.Generator) -> list[Counterfactual]:
    """One counterfactual for each operator and atom that applies to a scene.

    Args:
        scene: of one or two things.
        rng: picks the replacements and the thing added.

    Returns:
        The swaps, then the replacements, in the order of `ATOMS`; or, for one thing, the replacements and the addition.
    """
    made = {}
    for atom in ATOMS:
        with suppress(ValueError):
            made["swap", atom] = swap(scene, atom)
    for atom in ATOMS:
        with suppress(ValueError):
            made["replace", atom] = replace(scene, atom, rng)
    with suppress(ValueError):
        made["add", "object"] = add(scene, rng)
    return [Counterfactual(operator=op, atom=atom, before=scene, after=after) for (op, atom), after in made.items()]


def fits(scene: Scene) -> bool:
    """Whether the circles of all things lie inside the picture and apart from each other."""
    things = scene.things
    inside = all(t.radius + MARGIN <= at <= SIDE - MARGIN - t.radius for t in things for at in (t.x, t.y))
    apart = all(math.dist((a.x, a.y), (b.x, b.y)) >= a.radius + b.radius + MARGIN for a, b in combinations(things, 2))
    return inside and apart


def _fields(scene: Scene, atom: str, *, two: bool) -> tuple[str, ...]:
    if atom not in FIELDS:
        raise ValueError(f"atom must be one of {', '.join(FIELDS)}, got {atom!r}")
    if two and len(scene.things) != 2:
        raise ValueError(f"the {atom} needs a scene of two things here, got {len(scene.things)}")
    return FIELDS[atom]


def _with(scene: Scene, *things: Thing) -> Scene:
    return dataclasses.replace(scene, things=things)


def _renamed(scene: Scene, field: str) -> list[Scene]:
    """Every scene in which one thing has another name in this field."""
    made = []
    for slot, thing in enumerate(scene.things):
        for name in NAMES[field]:
            if name != getattr(thing, field):
                changes: dict[str, Any] = {field: name} | ({"radius": _rescaled(thing, name)} if field == "size" else {})
                other = dataclasses.replace(thing, **changes)
                made.append(_with(scene, *scene.things[:slot], other, *scene.things[slot + 1 :]))
    return [after for after in made if _unlike(after) and (field != "size" or fits(after))]


def _rescaled(thing: Thing, size: str) -> float:
    (low, high), (new_low, new_high) = RADII[thing.size], RADII[size]
    return new_low + (thing.radius - low) / (high - low) * (new_high - new_low)


def _rearranged(scene: Scene) -> list[Scene]:
    """The scene with each of the three other relations."""
    laid = _with(scene, *(dataclasses.replace(thing, x=thing.y, y=thing.x) for thing in scene.things))
    return [after for after in (_mirrored(scene), laid, _mirrored(laid)) if after.relation != scene.relation]


def _mirrored(scene: Scene) -> Scene:
    axis = "x" if scene.relation in {"left of", "right of"} else "y"
    return _with(scene, *(dataclasses.replace(thing, **{axis: SIDE - getattr(thing, axis)}) for thing in scene.things))


def _unlike(scene: Scene) -> bool:
    return len({(thing.shape, thing.colour) for thing in scene.things}) == len(scene.things)


def _clear(scene: Scene) -> bool:
    first, second = scene.things
    across, along = sorted((abs(first.x - second.x), abs(first.y - second.y)))
    return across <= SLANT * along
