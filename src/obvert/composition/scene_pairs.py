"""Perfect pairs: two Scenes that differ in one atom or in a few, and captions of both that differ in the same.

Both captions are said in the same style, each is true of its own picture and false of the other: two by two. A swap leaves the
words as they are: "A left of B" becomes "B left of A"; "A right of B" is a replacement. Of a picture to which a thing was added
the old caption stays true, so such a contrast has one picture, the one before.

References:
    | SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality (Hsieh et al., 2023)
    | https://arxiv.org/abs/2306.14610
    | BiVLC: Extending Vision-Language Compositionality Evaluation with Text-to-Image Retrieval (Miranda et al., 2024)
    | https://arxiv.org/abs/2406.09952
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace as with_
from itertools import islice

import numpy as np
from torch import Tensor

from obvert.core import Contrast, ContrastSet, ObvertError
from obvert.zoo.counterfactuals import ATOMS, add, replace, swap
from obvert.zoo.draw import draw
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.scenes import OPENINGS, Mention, Scene, caption, sample_mention, sample_one

TEST, TRAIN = HELD_OUT + 1001, HELD_OUT + 1000
"""Seeds of the pairs that test, and of those that one may learn from; no model of the zoo was trained on either."""
SEVERAL = "several"
KINDS = (
    *(
        (operator, *what)
        for operator in ("swap", "replace")
        for what in (*((atom, 1) for atom in ATOMS), (SEVERAL, 2), (SEVERAL, 3))
    ),
    ("add", "object", 1),
)
"""What is drawn: operator, atom, and how many atoms one after the other."""
SCENES = 60
"""Scenes looked at for each pair asked for; the rarest, a swap of sizes, fits about one in six."""
OPENING, REVERSED = "another opening", "the other way round"
"""How a caption is said again: "a photo of" as "a picture of"; "A left of B" as "B right of A"."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two scenes and how they are told."""

    operator: str
    atom: str
    depth: int
    before: Scene
    after: Scene
    mention: Mention
    """How the scene before is told."""
    turned: bool
    """Whether the scene after is told from its other thing."""

    @property
    def captions(self) -> tuple[str, str]:
        """Of the scene before and of the one after."""
        return caption(self.before, self.mention), _told(self.after, self.mention, self.turned)

    def sound(self) -> bool:
        """Whether each caption is false of the other picture, and a swap leaves the words as they are."""
        first, second = self.captions
        true = second in _true_of(self.before, self.mention) or first in _true_of(self.after, self.mention)
        return not true and (self.operator != "swap" or sorted(first.split()) == sorted(second.split()))


def scene_pairs(count: int, seed: int = TEST) -> tuple[ContrastSet, ContrastSet]:
    """Draw pairs and their pictures.

    Args:
        count: of each of `KINDS`; half of them are told in full, half as people do.
        seed: of the draw.

    Returns:
        The pairs, two by two, or with one picture where a thing was added; and the same with the right caption said in two
        ways, two right texts and one wrong of the picture before.

    Raises:
        ObvertError: for a count below 1.
    """
    if count < 1:
        raise ObvertError(f"need a pair or more of each kind, got {count}")
    found = [pair for i, kind in enumerate(KINDS) for pair in islice(stream(*kind, seed=(seed, i), most=SCENES * count), count)]
    scenes = list(dict.fromkeys(scene for pair in found for scene in _seen(pair)))
    drawn = dict(zip(scenes, draw(scenes), strict=True))
    items = [
        _contrast(
            pair,
            pair.captions,
            ((0,), (1,))[: len(_seen(pair))],
            tuple(drawn[scene] for scene in _seen(pair)),
            f"{pair.operator} {pair.atom}" if pair.depth == 1 else f"{pair.operator} {pair.depth} atoms",
        )
        for pair in found
    ]
    again = [
        _contrast(pair, (pair.captions[0], told, pair.captions[1]), ((0, 1),), (drawn[pair.before],), how)
        for pair in found
        for how, told in said_again(pair)
    ]
    return ContrastSet(name="Scenes", items=items, measures=()), ContrastSet(name="Scenes", items=again, measures=())


def stream(operator: str, atom: str, depth: int, *, seed: tuple[int, int], most: int) -> Iterator[Pair]:
    """Draw pairs of one of `KINDS`, one after the other.

    Args:
        operator: swap, replace or add.
        atom: what it is done to, or `SEVERAL`.
        depth: how many atoms, one after the other.
        seed: of the draw.
        most: scenes looked at; not every one offers a pair.

    Yields:
        The pairs, every other one told in full.
    """
    rng = np.random.default_rng(seed)
    for number in range(most):
        before = sample_one(rng, 1 if operator == "add" else 2)
        mention = Mention() if number % 2 else sample_mention(rng)
        atoms = rng.permutation(ATOMS)[:depth].tolist() if atom == SEVERAL else [atom]
        after = _after(before, mention, operator, atoms, rng)
        if after:
            turned = operator == "swap" and "relation" in atoms
            pair = Pair(operator=operator, atom=atom, depth=depth, before=before, after=after, mention=mention, turned=turned)
            if pair.sound():
                yield pair


def _after(scene: Scene, mention: Mention, operator: str, atoms: list[str], rng: np.random.Generator) -> Scene | None:
    """The scene with all atoms changed, one after the other; None where one does not fit it or changes nothing that is told."""
    turned = False
    for atom in atoms:
        told = _told(scene, mention, turned)
        try:
            scene = (
                swap(scene, atom) if operator == "swap" else add(scene, rng) if operator == "add" else replace(scene, atom, rng)
            )
        except ValueError:
            return None
        turned ^= operator == "swap" and atom == "relation"
        if _told(scene, mention, turned) == told:
            return None
    return scene


def _told(scene: Scene, mention: Mention, turned: bool) -> str:
    return caption(scene, with_(mention, second_first=mention.second_first != turned))


def _true_of(scene: Scene, mention: Mention) -> set[str]:
    """Every caption of a scene that says these parts of it."""
    return {_told(scene, mention, turned) for turned in (False, True)}


def said_again(pair: Pair) -> list[tuple[str, str]]:
    """How the caption of the scene before can be said again, `OPENING` or `REVERSED`, and what it is then."""
    mention = pair.mention
    other = OPENINGS[(OPENINGS.index(mention.opening) + 1) % len(OPENINGS)] if mention.opening else OPENINGS[0]
    found = [(OPENING, caption(pair.before, with_(mention, opening=other)))]
    if len(pair.before.things) == 2 and mention.second:
        found.append((REVERSED, caption(pair.before, with_(mention, second_first=not mention.second_first))))
    return found


def _seen(pair: Pair) -> tuple[Scene, ...]:
    return (pair.before,) if pair.operator == "add" else (pair.before, pair.after)


def _contrast(
    pair: Pair, texts: tuple[str, ...], right: tuple[tuple[int, ...], ...], pictures: tuple[Tensor, ...], category: str
) -> Contrast:
    return Contrast(
        texts=texts,
        right=right,
        pictures=pictures,
        category=category,
        operator=pair.operator,
        atom=pair.atom,
        depth=pair.depth,
    )
