"""Perfect pairs of Scenes: each caption true of its own picture and false of the other, judged by reading it back."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import pytest
import torch

from obvert.composition.scene_pairs import KINDS, OPENING, REVERSED, TRAIN, Pair, scene_pairs, stream
from obvert.composition.text.canonical import canonical
from obvert.composition.text.parsing import parser
from obvert.core import ObvertError
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.scenes import OPPOSITE, Scene, Thing

READ = parser("scenes")


def true_of(text: str, scene: Scene) -> bool:
    """Whether a caption is true of a scene: its things are there, one for one, and lie as it says."""
    said: list[dict[str, str]] = [{}]
    relation, tone = None, scene.background.tone
    for atom in READ(text).atoms:
        if atom.group == "spatial":
            relation = atom.text
        elif atom.group == "tone":
            tone = atom.text
        elif atom.kind == "object":
            said[-1] |= {"shape": atom.text} if atom.text != "shape" else {}
            said.append({})
        else:
            said[-1][atom.group] = atom.text
    said.pop()
    orders = [scene.things, scene.things[::-1]]
    lies = [scene.relation, OPPOSITE.get(scene.relation or "")]

    def fits(thing: Thing, words: dict[str, str]) -> bool:
        return all(getattr(thing, name) == word for name, word in words.items())

    return tone == scene.background.tone and any(
        len(said) <= len(things)
        and all(fits(thing, words) for thing, words in zip(things, said, strict=False))
        and relation in (None, way)
        for things, way in zip(orders, lies, strict=True)
    )


def drawn(kind: int, count: int = 25) -> list[Pair]:
    return list(itertools.islice(stream(*KINDS[kind], seed=(7, kind), most=4000), count))


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=lambda kind: "-".join(map(str, KINDS[kind])))
def test_each_caption_is_true_of_its_own_picture_and_false_of_the_other(kind: int) -> None:
    operator, _, depth = KINDS[kind]
    found = drawn(kind)
    assert len(found) == 25
    for pair in found:
        first, second = pair.captions
        assert true_of(first, pair.before)
        assert true_of(second, pair.after)
        assert not true_of(second, pair.before)
        if operator == "add":  # the old caption stays true
            assert true_of(first, pair.after)
            continue
        assert not true_of(first, pair.after)
        bags = [Counter(text.split()) for text in (first, second)]
        if operator == "swap":
            assert bags[0] == bags[1]
        if operator == "replace":
            changed = [a.text != b.text for a, b in zip(READ(first).atoms, READ(second).atoms, strict=True)]
            assert 1 <= sum(changed) <= depth
            assert depth > 1 or sum(changed) == 1


def test_the_set_is_whole_balanced_and_drawn_once() -> None:
    contrasts, again = scene_pairs(3)
    assert list(Counter((item.operator, item.atom, item.depth) for item in contrasts.items)) == list(KINDS)
    assert set(Counter(item.category for item in contrasts.items).values()) == {3}
    for item in contrasts.items:
        assert item.crossed == (item.operator != "add")
        assert all(p.shape == (3, 64, 64) and p.dtype == torch.uint8 for p in item.pictures)
        assert not item.crossed or not torch.equal(*item.pictures)
    assert {item.category for item in again.items} == {OPENING, REVERSED}
    for item in again.items:
        one, other, wrong = map(READ, item.texts)
        bare = [re.sub(r"^a (photo|picture|drawing) of ", "", text) for text in item.texts]
        assert canonical(READ(bare[0])) == canonical(READ(bare[1])) != canonical(READ(bare[2]))
        assert one.text != other.text != wrong.text
        assert item.right == ((0, 1),)
    same, _ = scene_pairs(3)
    assert [item.texts for item in same.items] == [item.texts for item in contrasts.items]


def test_what_is_learned_from_is_not_what_is_tested() -> None:
    (test, _), (train, _) = scene_pairs(4), scene_pairs(4, TRAIN)
    pictures = [{p.numpy().tobytes() for item in found.items for p in item.pictures} for found in (test, train)]
    assert not pictures[0] & pictures[1]
    assert TRAIN >= HELD_OUT


def test_no_pairs_are_refused() -> None:
    with pytest.raises(ObvertError, match="need a pair or more of each kind, got 0"):
        scene_pairs(0)
