"""Natural pairs: one edit apart, of two pictures, and never merely the same said otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from obvert.composition.natural import natural_pairs
from obvert.composition.text.parsing import from_template, parser
from obvert.composition.text.sentence import Sentence
from obvert.core import ObvertError
from obvert.zoo.scenes import COLOURS, SHAPES

READ = parser("lexicon")


def found(*texts: str, pictures: list[str] | None = None) -> list[tuple[int, int, str, str, str]]:
    pairs = natural_pairs([READ(text) for text in texts], pictures or [str(i) for i in range(len(texts))])
    return [(p.first, p.second, p.operator, p.kind, p.group) for p in pairs]


@pytest.mark.parametrize(
    ("one", "other", "operator", "kind", "group"),
    [
        ("A red cup on a table.", "a blue cup on a table", "replace", "attribute", "colour"),
        ("an orange cup", "a red cup", "replace", "attribute", "colour"),
        ("a red cup and a blue bowl", "a blue cup and a red bowl", "swap", "attribute", "colour"),
        ("a dog chasing a cat", "a cat chasing a dog", "swap", "object", ""),
        ("a dog on a sofa", "a dog behind a sofa", "replace", "relation", "spatial"),
    ],
)
def test_one_edit_apart(one: str, other: str, operator: str, kind: str, group: str) -> None:
    assert found(one, other) == [(0, 1, operator, kind, group)]


@pytest.mark.parametrize(
    ("texts", "pictures"),
    [
        (("a red cup on a table", "a red cup on a table"), None),  # the same
        (("a red cup", "a blue bowl"), None),  # two edits
        (("a red cup", "a blue cup"), ["x", "x"]),  # one picture
        (("a cat and a dog", "a dog and a cat"), None),  # joined evenly
        (("a dog left of a cat", "a cat right of a dog"), None),  # told from the other side
        (("a large cup", "a big cup"), None),  # a synonym
        (("a red cup", "a blue cup", "a red cup"), ["x", "y", "y"]),  # the other picture has both captions
    ],
)
def test_no_pair(texts: tuple[str, ...], pictures: list[str] | None) -> None:
    assert found(*texts, pictures=pictures) == []


def test_each_two_captions_once_and_time_grows_with_the_captions() -> None:
    rng = np.random.default_rng(0)
    marked = [
        from_template(f"a [attribute/colour:{rng.choice(COLOURS)}] [object/shape:{rng.choice(SHAPES)}] at {rng.integers(50)}")
        for _ in range(3000)
    ]
    pairs = natural_pairs(marked, range(3000))
    assert len({(p.first, p.second) for p in pairs}) == len(pairs)
    assert len(pairs) <= 2 * 3000  # as many as masked atoms, not as pairs of captions
    assert len(pairs) > 3000
    for pair in pairs[::97]:
        one, other = marked[pair.first], marked[pair.second]
        assert sum(a.text != b.text for a, b in zip(one.atoms, other.atoms, strict=True)) == 1


def test_a_picture_of_each_is_needed() -> None:
    with pytest.raises(ObvertError, match="need a picture of each of 1 captions, got 2"):
        natural_pairs([Sentence(text="a cup")], ["a", "b"])
