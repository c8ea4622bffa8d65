"""Questions about scenes and their answers: what there is, which colour, which shape, where, how many, how large."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from obvert.zoo.captioner import CANONICAL
from obvert.zoo.scenes import COLOURS, OPPOSITE, SHAPES, SIZES, Mention, Scene, Thing, caption

Turn = tuple[str, str]
"""Question and answer."""
WHAT = ("what is in the picture?", "what do you see?", "describe the picture")


def what(scene: Scene, rng: np.random.Generator) -> Turn:
    """Everything, by colour, shape and how it lies: "a red circle left of a blue square"."""
    return WHAT[int(rng.integers(len(WHAT)))], plain(scene)


def colour(scene: Scene, rng: np.random.Generator) -> Turn | None:
    """Of a thing whose shape no other has."""
    thing = _only(scene, rng, "shape")
    return (f"what colour is the {thing.shape}?", thing.colour) if thing else None


def shape(scene: Scene, rng: np.random.Generator) -> Turn | None:
    """Of a thing whose colour no other has."""
    thing = _only(scene, rng, "colour")
    return (f"what shape is the {thing.colour} thing?", thing.shape) if thing else None


def where(scene: Scene, rng: np.random.Generator) -> Turn | None:
    """Of one of two things, as seen from the other."""
    if scene.relation is None:
        return None
    asked = int(rng.integers(2))
    relation = OPPOSITE[scene.relation] if asked else scene.relation
    one, other = scene.things[asked], scene.things[1 - asked]
    return f"where is the {one.colour} {one.shape}?", f"{relation} the {other.colour} {other.shape}"


def how_many(scene: Scene, rng: np.random.Generator) -> Turn:
    """Things, or things of a colour or a shape."""
    chance = rng.random()
    if chance < 0.4:
        return "how many things are there?", _number(len(scene.things))
    names, name = (COLOURS, "colour") if chance < 0.7 else (SHAPES, "shape")
    there = [getattr(thing, name) for thing in scene.things]
    asked = str(rng.choice(there)) if rng.random() < 0.6 else str(rng.choice(names))
    things = f"{asked} things" if name == "colour" else plural(asked)
    return f"how many {things} are there?", _number(there.count(asked))


def how_large(scene: Scene, rng: np.random.Generator) -> Turn | None:
    """Of a thing whose shape no other has."""
    thing = _only(scene, rng, "shape")
    return (f"how large is the {thing.shape}?", thing.size) if thing else None


KINDS: dict[str, Callable[[Scene, np.random.Generator], Turn | None]] = {
    "what": what,
    "colour": colour,
    "shape": shape,
    "where": where,
    "how-many": how_many,
    "how-large": how_large,
}


def ask(scene: Scene, rng: np.random.Generator, turns: int) -> list[Turn]:
    """Questions of different kinds with their answers, in any order; what there is, is asked the most often."""
    kinds = list(rng.permutation(list(KINDS)))
    if rng.random() < 0.5:
        kinds.insert(0, kinds.pop(kinds.index("what")))
    found = [turn for kind in kinds if (turn := KINDS[kind](scene, rng))]
    return found[:turns]


def plain(scene: Scene) -> str:
    """The one caption of a scene that names colours, shapes and how they lie."""
    canonical = scene.relation is None or scene.relation in CANONICAL
    return caption(scene, Mention(size=False, texture=False, tone=False, second_first=not canonical))


def words() -> list[str]:
    """Every word of questions and answers that captions lack, in a fixed order."""
    said = "what is in the picture ? do you see describe colour shape thing things where how many are there large zero one two"
    return [*dict.fromkeys([*said.split(), *map(plural, SHAPES), *SIZES])]


def plural(shape: str) -> str:
    """Of a shape."""
    return f"{shape}es" if shape == "cross" else f"{shape}s"


def _only(scene: Scene, rng: np.random.Generator, name: str) -> Thing | None:
    """One of the things that share this property with no other; None without such."""
    values = [getattr(thing, name) for thing in scene.things]
    alone = [thing for thing, value in zip(scene.things, values, strict=True) if values.count(value) == 1]
    return alone[int(rng.integers(len(alone)))] if alone else None


def _number(count: int) -> str:
    return ("zero", "one", "two")[count]
