"""Scenes: seeds, ranges, room, and captions that say what is there."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from obvert.zoo.scenes import (
    COLOURS,
    OPPOSITE,
    RADII,
    SHAPES,
    SIDE,
    SIZES,
    TEXTURES,
    TONES,
    Mention,
    Scene,
    caption,
    sample,
    sample_mention,
    vocabulary,
)

seeds = st.integers(0, 2**32 - 1)
FLAGS = ("size", "texture", "colour", "shape", "second", "relation", "tone", "second_first")


@given(seed=seeds)
def test_the_seed_decides(seed: int) -> None:
    assert sample(5, seed) == sample(5, seed)
    assert sample(5, seed) != sample(5, seed + 1)


@given(seed=seeds, few=st.integers(0, 8))
def test_more_scenes_begin_with_the_same(seed: int, few: int) -> None:
    assert sample(8, seed)[:few] == sample(few, seed)


def test_one_two_or_a_mixture() -> None:
    assert {len(scene.things) for scene in sample(50, 0, things=1)} == {1}
    assert {len(scene.things) for scene in sample(50, 0, things=2)} == {2}
    assert 0.45 < np.mean([len(scene.things) == 1 for scene in sample(2000, 0)]) < 0.55


@given(seed=seeds)
def test_latents_are_within_their_ranges(seed: int) -> None:
    for scene in sample(8, seed):
        for thing in scene.things:
            assert thing.shape in SHAPES
            assert thing.colour in COLOURS
            assert thing.size in SIZES
            assert thing.texture in TEXTURES
            low, high = RADII[thing.size]
            assert low <= thing.radius <= high
            assert abs(thing.angle) <= math.pi / 6
            assert max(map(abs, thing.tint)) < 0.5
            assert 0 <= thing.phase <= 8
        back = scene.background
        assert back.tone in TONES
        assert all(0 <= value <= 1 for value in (*back.near, *back.far))
        assert 0 <= back.wave[2] <= 0.12
        assert 0.01 <= back.noise <= 0.07
        assert back.noise_seed >= 0


@given(seed=seeds)
def test_things_are_inside_apart_and_unlike(seed: int) -> None:
    for scene in sample(8, seed):
        for thing in scene.things:
            for at in (thing.x, thing.y):
                assert thing.radius <= at <= SIDE - thing.radius
        for a, b in itertools.combinations(scene.things, 2):
            assert math.dist((a.x, a.y), (b.x, b.y)) > a.radius + b.radius
            assert (a.shape, a.colour) != (b.shape, b.colour)


@given(seed=seeds)
def test_the_relation_is_where_the_things_lie(seed: int) -> None:
    for scene in sample(4, seed, things=2):
        first, second = scene.things
        holds = {
            "left of": first.x < second.x,
            "right of": first.x > second.x,
            "above": first.y < second.y,
            "below": first.y > second.y,
        }
        assert holds[scene.relation]
        across, along = sorted((abs(first.x - second.x), abs(first.y - second.y)))
        assert across <= 0.4 * along + 1e-9


def test_every_name_and_relation_comes_up_about_evenly() -> None:
    scenes = sample(4000, 0, things=2)
    for field, names in (("shape", SHAPES), ("colour", COLOURS), ("size", SIZES), ("texture", TEXTURES)):
        counts = [sum(getattr(scene.things[0], field) == name for scene in scenes) for name in names]
        np.testing.assert_allclose(counts, 4000 / len(names), rtol=0.2)
    np.testing.assert_allclose([sum(scene.relation == name for scene in scenes) for name in OPPOSITE], 1000, rtol=0.2)


@given(seed=seeds)
def test_captions_are_words_of_the_vocabulary_with_the_right_articles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for scene in sample(4, seed):
        words = caption(scene, sample_mention(rng)).split(" ")
        assert set(words) <= set(vocabulary())
        for article, word in itertools.pairwise(words):
            if article in {"a", "an"}:
                assert article == ("an" if word[0] in "aeiou" else "a")


def test_vocabulary_has_each_word_once() -> None:
    assert len(set(vocabulary())) == len(vocabulary())
    assert all(re.fullmatch("[a-z]+", word) for word in vocabulary())


@given(seed=seeds, parts=st.fixed_dictionaries({flag: st.booleans() for flag in FLAGS}))
def test_a_caption_says_what_is_mentioned_and_no_more(seed: int, parts: dict[str, bool]) -> None:
    (scene,) = sample(1, seed)
    assert caption(scene, Mention(**parts)) == _said(scene, parts)


@given(seed=seeds)
def test_beginning_with_the_second_turns_the_relation_round(seed: int) -> None:
    (scene,) = sample(1, seed, things=2)
    plain, turned = caption(scene, Mention(tone=False)), caption(scene, Mention(tone=False, second_first=True))
    one, other = plain.split(f" {scene.relation} ")
    assert turned == f"{other} {OPPOSITE[scene.relation]} {one}"


def test_an_opening_comes_first() -> None:
    (scene,) = sample(1, 0)
    assert caption(scene, Mention(opening="a photo of")) == f"a photo of {caption(scene)}"


@pytest.mark.parametrize(("one", "other"), OPPOSITE.items())
def test_opposites_are_mutual(one: str, other: str) -> None:
    assert one != other
    assert OPPOSITE[other] == one


def _said(scene: Scene, parts: dict[str, bool]) -> str:
    phrases = []
    for thing in scene.things:
        words = [getattr(thing, name) for name in ("size", "texture", "colour") if parts[name]]
        words.append(thing.shape if parts["shape"] else "shape")
        phrases.append(("an " if words[0] == "orange" else "a ") + " ".join(words))
    link = scene.relation
    if parts["second_first"]:
        phrases, link = phrases[::-1], OPPOSITE.get(link)
    link = link if parts["relation"] else "and"
    text = f" {link} ".join(phrases if parts["second"] else phrases[:1])
    return text + (f" on a {scene.background.tone} background" if parts["tone"] else "")
