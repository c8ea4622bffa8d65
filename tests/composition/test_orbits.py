"""Orbits: counted by hand, closed, and cut where told."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obvert.composition.operators import Vocabulary, edits
from obvert.composition.orbits import orbit
from obvert.composition.text.canonical import canonical
from obvert.composition.text.parsing import from_template, parser
from obvert.core import ObvertError
from obvert.zoo.scenes import caption, sample, sample_mention

scene, free = parser("scenes"), parser("lexicon")


def row(words: str) -> str:
    """Letters as objects in a row, in places of their own."""
    return " then ".join(f"[object/letter:{word}]" for word in words)


@pytest.mark.parametrize(
    ("text", "growth"),
    [
        ("a red circle", (1,)),
        ("a red circle and a blue square", (1, 2)),
        ("a red circle above a blue square", (1, 4)),
        ("a small red circle above a large blue square", (1, 5, 8)),
        ("a red circle above a red circle", (1,)),
    ],
)
def test_orbits_of_scenes_by_hand(text: str, growth: tuple[int, ...]) -> None:
    found = orbit(scene(text), 9)
    assert found.growth == growth
    assert len(found.sentences) == growth[-1]
    assert not found.cut


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_row_of_things_has_all_its_orders(count: int) -> None:
    """As many permutations within k transpositions as have at least n - k cycles: Stirling's numbers of the first kind."""
    cycles = {(0, 0): 1}
    for n in range(1, count + 1):
        for k in range(n + 1):
            cycles[n, k] = (n - 1) * cycles.get((n - 1, k), 0) + cycles.get((n - 1, k - 1), 0)
    found = orbit(from_template(row("abcdefg"[:count])), 9)
    assert found.growth == tuple(sum(cycles[count, count - moved] for moved in range(within + 1)) for within in range(count))
    assert found.growth[-1] == math.factorial(count)


def test_it_stops_at_the_limit_and_says_so() -> None:
    sentence = from_template(row("abcde"))
    found = orbit(sentence, 9, most=50)
    assert found.cut
    assert len(found.sentences) == 50
    assert found.growth == (1, 11, 46)
    assert not orbit(sentence, 9, most=120).cut
    assert orbit(sentence, 0).sentences == (sentence,)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_orbit_is_closed_and_holds_each_sentence_once(seed: int) -> None:
    sentence = scene(caption(sample(1, seed)[0], sample_mention(np.random.default_rng(seed))))
    found = orbit(sentence, 20)
    keys = {canonical(each) for each in found.sentences}
    assert found.sentences[0] == sentence
    assert len(keys) == len(found.sentences) == found.growth[-1]
    for each in found.sentences:
        assert scene(each.text) == each
        assert {canonical(edit.after) for edit in edits(each, Vocabulary(words={}), ("swap",))} <= keys


def test_free_text_grows_fast() -> None:
    growth = orbit(free("a red cup on a blue mat under a green lamp behind a white cat"), 2).growth
    assert growth[1] > 15
    assert growth[2] > 8 * growth[1]


@pytest.mark.parametrize(("depth", "most"), [(-1, 10), (1, 0)])
def test_what_cannot_be_asked_for_is_refused(depth: int, most: int) -> None:
    with pytest.raises(ObvertError, match="need a depth of 0 or more and a limit of 1 or more"):
        orbit(free("a cup"), depth, most=most)
