"""Scenes: a procedural world of small pictures whose every latent is known.

A scene holds one or two things (shape, colour, size, texture) before a background. What a caption can say is
discrete; everything else (position, rotation, exact hue, background pattern, noise) is nuisance that no caption
names. Captions mention only part of the scene, as people's captions do. Scenes are drawn from a seed, without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIDE = 64
"""Height and width of a picture, in pixels."""
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "moon")
COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
SIZES = ("small", "large")
TEXTURES = ("plain", "striped", "dotted", "checked")
TONES = ("dark", "light")
RELATIONS = ("left of", "right of", "above", "below")
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
OPENINGS = ("a photo of", "a picture of", "a drawing of")
RADII = {"small": (9.0, 11.0), "large": (13.0, 15.0)}


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One thing of a scene: what a caption may say of it, then its nuisances."""

    shape: str
    colour: str
    size: str
    texture: str
    x: float
    """Column of the centre, in pixels."""
    y: float
    """Row of the centre, in pixels."""
    radius: float
    """Half its width, in pixels; small things 9 to 11, large ones 13 to 15."""
    angle: float
    """Rotation in radians, within 30 degrees of upright."""
    tint: tuple[float, float, float]
    """Offset of its colour in RGB, each around 0 with deviation 0.05."""
    phase: float
    """Where its texture starts, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Background:
    """What lies behind the things. Only its tone can be named."""

    tone: str
    near: tuple[float, float, float]
    """RGB at one end of the gradient, in [0, 1]."""
    far: tuple[float, float, float]
    """RGB at the other end."""
    direction: float
    """Direction of the gradient, radians."""
    wave: tuple[float, float, float]
    """Pattern of waves: two frequencies in radians a pixel, and a contrast in [0, 0.08]."""
    noise: float
    """Deviation of the pixel noise, in [0.01, 0.05]."""
    noise_seed: int
    """Where the noise is read from."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One or two things before a background; enough to draw the picture exactly."""

    things: tuple[Thing, ...]
    background: Background

    @property
    def relation(self) -> str | None:
        """Where the first thing lies as seen from the second; None with one thing."""
        if len(self.things) == 1:
            return None
        first, second = self.things
        dx, dy = first.x - second.x, first.y - second.y
        if abs(dx) > abs(dy):
            return "left of" if dx < 0 else "right of"
        return "above" if dy < 0 else "below"


@dataclass(frozen=True, kw_only=True)
class Mention:
    """Which parts of a scene its caption says."""

    opening: str = ""
    size: bool = True
    texture: bool = True
    colour: bool = True
    shape: bool = True
    second: bool = True
    """Say the second thing, if there is one."""
    relation: bool = True
    """Say how the two lie; otherwise they are joined by "and"."""
    tone: bool = True
    second_first: bool = False
    """Begin with the second thing; the relation is then said the other way round."""


def sample(count: int, seed: int, *, things: int | None = None) -> list[Scene]:
    """Draw scenes.

    Args:
        count: how many.
        seed: of the draw; the same seed gives the same scenes.
        things: 1 or 2 things in each; None for an even mixture.

    Returns:
        `count` scenes.

    Raises:
        ValueError: for any other number of things.
    """
    if things not in (None, 1, 2):
        raise ValueError(f"need scenes of 1 or 2 things, got {things}")
    rng = np.random.default_rng(seed)
    return [sample_one(rng, things or int(rng.integers(1, 3))) for _ in range(count)]


def sample_one(rng: np.random.Generator, things: int = 1) -> Scene:
    """Draw one scene of `things` (1 or 2) things, no two alike in both colour and shape."""
    kinds = [(_pick(rng, SHAPES), _pick(rng, COLOURS))]
    while len(kinds) < things:
        kind = (_pick(rng, SHAPES), _pick(rng, COLOURS))
        if kind not in kinds:
            kinds.append(kind)
    sizes = [_pick(rng, SIZES) for _ in kinds]
    radii = [float(rng.uniform(*RADII[size])) for size in sizes]
    centres = place(rng, radii)
    drawn = tuple(
        Thing(
            shape=shape,
            colour=colour,
            size=size,
            texture=_pick(rng, TEXTURES),
            x=x,
            y=y,
            radius=radius,
            angle=float(rng.uniform(-np.pi / 6, np.pi / 6)),
            tint=_triple(rng.normal(0, 0.05, 3)),
            phase=float(rng.uniform(0, 8)),
        )
        for (shape, colour), size, radius, (x, y) in zip(kinds, sizes, radii, centres, strict=True)
    )
    return Scene(things=drawn, background=sample_background(rng))


def sample_background(rng: np.random.Generator) -> Background:
    """Draw a background: a gradient between two muted colours, waves, and noise."""
    tone = _pick(rng, TONES)
    low, high = (0.05, 0.35) if tone == "dark" else (0.6, 0.95)
    grey = rng.uniform(low, high, (2, 1))
    ends = np.clip(grey + rng.uniform(-0.14, 0.14, (2, 3)), 0, 1)
    return Background(
        tone=tone,
        near=_triple(ends[0]),
        far=_triple(ends[1]),
        direction=float(rng.uniform(0, 2 * np.pi)),
        wave=(float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1)), float(rng.uniform(0, 0.08))),
        noise=float(rng.uniform(0.01, 0.05)),
        noise_seed=int(rng.integers(2**31)),
    )


def place(rng: np.random.Generator, radii: Sequence[float]) -> list[tuple[float, float]]:
    """Centres (x, y) for things of these radii, inside the picture, apart, and clearly related."""
    if len(radii) == 1:
        lo, hi = radii[0] + 1, SIDE - 1 - radii[0]
        return [(float(rng.uniform(lo, hi)), float(rng.uniform(lo, hi)))]
    first, second = radii
    apart = rng.uniform(first + second + 1, SIDE - 2 - first - second)
    start = rng.uniform(first + 1, SIDE - 1 - second - apart)
    across = rng.uniform(first + 1, SIDE - 1 - first)
    drift = 0.4 * apart
    low = max(second + 1, across - drift)
    high = min(SIDE - 1 - second, across + drift)
    other = rng.uniform(low, high)
    ends = [(float(start), float(across)), (float(start + apart), float(other))]
    if rng.random() < 0.5:  # mirror, so that either comes first
        ends = [(SIDE - along, beside) for along, beside in ends]
    if rng.random() < 0.5:  # lay the row down as a column
        ends = [(beside, along) for along, beside in ends]
    return ends


def caption(scene: Scene, mention: Mention | None = None) -> str:
    """What a caption says of a scene.

    Args:
        scene: the scene.
        mention: the parts to say; everything by default.

    Returns:
        Lower-case words, e.g. "a photo of a small striped red circle left of a large plain blue ring".
    """
    mention = mention or Mention()
    words = [_phrase(thing, mention) for thing in scene.things]
    relation = scene.relation
    if mention.second_first:
        words.reverse()
        relation = OPPOSITE.get(relation or "")
    text = words[0]
    if len(words) == 2 and mention.second:
        text = f"{text} {relation if mention.relation else 'and'} {words[1]}"
    if mention.tone:
        text = f"{text} on a {scene.background.tone} background"
    return f"{mention.opening} {text}".strip()


def sample_mention(rng: np.random.Generator) -> Mention:
    """Draw what a caption says: the colour and shape mostly, the rest now and then."""
    chance = rng.random(9)
    return Mention(
        opening=_pick(rng, OPENINGS) if chance[0] < 0.6 else "",
        size=bool(chance[1] < 0.4),
        texture=bool(chance[2] < 0.4),
        colour=bool(chance[3] < 0.9),
        shape=bool(chance[4] < 0.95),
        second=bool(chance[5] < 0.7),
        relation=bool(chance[6] < 0.75),
        tone=bool(chance[7] < 0.25),
        second_first=bool(chance[8] < 0.5),
    )


def vocabulary() -> list[str]:
    """Every word a caption can hold, each once, in a fixed order."""
    words = " ".join((*OPENINGS, *SHAPES, *COLOURS, *SIZES, *TEXTURES, *TONES, *RELATIONS)).split()
    return list(dict.fromkeys([*words, "an", "and", "on", "background", "shape"]))


def _phrase(thing: Thing, mention: Mention) -> str:
    words = [
        word
        for word, said in (
            (thing.size, mention.size),
            (thing.texture, mention.texture),
            (thing.colour, mention.colour),
            (thing.shape if mention.shape else "shape", True),
        )
        if said
    ]
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join((article, *words))


def _pick(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
