"""Dual encoders of a tiny world whose verdict is known: a picture is what lies left and what lies right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from obvert.core import Card, Contrast, ContrastSet
from obvert.tasks._audit_material import Material, right_texts

THINGS = ("cat", "dog", "cup", "ball", "tree", "bird", "car", "boat", "shoe", "hat")
SIZE = len(THINGS)


def picture(left: str, right: str) -> Tensor:
    """(3, 2, 2) uint8: the number of what lies left, and of what lies right."""
    return torch.tensor([THINGS.index(left), THINGS.index(right)], dtype=torch.uint8).expand(3, 2, 2).contiguous()


def in_order(text: str) -> tuple[int, int]:
    """What a text says lies left, and what lies right; of one thing alone, it twice."""
    said = text.split()
    things = [THINGS.index(word) for word in said if word in THINGS]
    return (things[-1], things[0]) if "right" in said else (things[0], things[-1])


def slots(pairs: Sequence[tuple[int, int]]) -> Tensor:
    """(B, 2 SIZE): one place for each thing that may lie left, one for each that may lie right."""
    return normalize(one_hot(torch.tensor(pairs), SIZE).flatten(1).float(), dim=1)


def bags(pairs: Sequence[tuple[int, int]]) -> Tensor:
    """(B, 2 SIZE): which things there are, the same in both halves."""
    counts = one_hot(torch.tensor(pairs), SIZE).sum(1).float()
    return normalize(counts.repeat(1, 2), dim=1)


def turned(pairs: Sequence[tuple[int, int]]) -> Tensor:
    """As `slots`, left and right exchanged."""
    return slots([pair[::-1] for pair in pairs])


Side = Callable[[Sequence[tuple[int, int]]], Tensor]


class Toy:
    """A dual encoder of two functions of what lies left and right."""

    default_patches = 1
    device = torch.device("cpu")
    dimension = 2 * SIZE

    def __init__(self, name: str, image: Side, text: Side) -> None:
        self.card = Card(name=name, family="toy", sha256=name)
        self._image, self._text = image, text

    def image_features(self, pictures: Sequence[Tensor]) -> Tensor:
        return self._image([tuple((255 * p[0, 0]).round().int().tolist()) for p in pictures])

    def text_features(self, texts: Sequence[str]) -> Tensor:
        return self._text([in_order(text) for text in texts])


SEES = Toy("sees", slots, slots)
BAG = Toy("bag", slots, bags)
NO_EYES = Toy("no eyes", bags, slots)
TURNED = Toy("turned", slots, turned)


def contrast(operator: str, *sides: tuple[str, str]) -> Contrast:
    """Two by two of what lies left and right in the one picture and in the other."""
    texts = tuple(f"{left} left of {right}" for left, right in sides)
    pictures = tuple(picture(*side) for side in sides)
    return Contrast(texts=texts, right=((0,), (1,)), pictures=pictures, category=operator, operator=operator, atom="object")


def material() -> Material:
    """Every swap of two things, one replacement of each, and each said from the other side."""
    pairs = list(combinations(THINGS, 2))
    items = [contrast("swap", (a, b), (b, a)) for a, b in pairs]
    items += [contrast("replace", (a, b), (next(t for t in THINGS if t not in (a, b)), b)) for a, b in pairs]
    again = [
        Contrast(
            texts=(item.texts[0], _said_again(item.texts[0]), item.texts[1]),
            right=((0, 1),),
            pictures=item.pictures[:1],
            category="the other way round",
            operator=item.operator,
            atom="object",
        )
        for item in items
    ]
    contrasts = ContrastSet(name="toys", items=items, measures=("group",))
    return Material(contrasts=contrasts, again=ContrastSet(name="toys", items=again), captions=right_texts(contrasts))


def _said_again(text: str) -> str:
    first, _, _, last = text.split()
    return f"{last} right of {first}"
