"""Sentences, their noun phrases, and cutting and joining without losing an atom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obvert.composition.text.canonical import canonical, repeats
from obvert.composition.text.lexicon import CONVERSE, DETERMINERS, FUNCTION, GROUPS, SYMMETRIC, SYNONYM, TYPES, meaning
from obvert.composition.text.parsing import from_template, from_words, parser
from obvert.composition.text.phrases import cut, join, phrases, spliced, word
from obvert.composition.text.sentence import Atom, Sentence
from obvert.core import ObvertError

CUP = from_template("A [attribute/size:small] [attribute/colour:red] [object:cup] [relation:on] the [object:table].")


def test_atoms_are_in_order_apart_and_as_they_stand() -> None:
    atom = Atom(kind="object", text="cup", start=2, stop=5)
    assert Sentence(text="a cup", atoms=(atom,)).atoms == (atom,)
    for bad in (
        (Atom(kind="object", text="cap", start=2, stop=5),),
        (atom, atom),
        (Atom(kind="thing", text="cup", start=2, stop=5),),  # type: ignore[arg-type]
        (Atom(kind="object", text="", start=2, stop=2),),
    ):
        with pytest.raises(ObvertError, match="need atoms in order"):
            Sentence(text="a cup", atoms=bad)


def test_a_noun_phrase_is_an_object_with_its_article_and_attributes() -> None:
    cup, table = phrases(CUP)
    assert (CUP.text[cup.start : cup.stop], cup.determiner, cup.first, cup.noun) == ("A small red cup", "a", 0, 2)
    assert (CUP.text[table.start : table.stop], table.determiner, table.first) == ("the table", "the", 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("an orange and white cat on a mat", ["an orange and white cat", "a mat"]),
        ("a couple of dogs", ["a couple of dogs"]),
        ("dogs", ["dogs"]),
        ("the bus is red and the car is blue", ["the bus", "the car"]),
        ("", []),
    ],
)
def test_phrases_by_hand(text: str, said: list[str]) -> None:
    sentence = from_words(text)
    assert [text[phrase.start : phrase.stop] for phrase in phrases(sentence)] == said


@given(at=st.integers(0, len(CUP.text)))
def test_what_is_cut_between_atoms_joins_to_the_same(at: int) -> None:
    through = any(atom.start < at < atom.stop for atom in CUP.atoms)
    whole = join([cut(CUP, 0, at), cut(CUP, at, len(CUP.text))])
    assert whole.text == CUP.text
    assert len(whole.atoms) == len(CUP.atoms) - through
    assert through or whole == CUP


def test_a_splice_moves_the_atoms_behind_it() -> None:
    after = spliced(CUP, [(0, 0, Sentence(text="Look: ")), (12, 15, word(CUP.atoms[2], "saucer"))])
    assert after.text == "Look: A small red saucer on the table."
    assert [atom.text for atom in after.atoms] == ["small", "red", "saucer", "on", "table"]


def test_each_listed_phrase_has_one_kind() -> None:
    listed = [phrase for words in GROUPS.values() for phrase in words]
    assert len(set(listed)) == len(listed) == len(TYPES)
    assert all(phrase == phrase.lower().strip() and phrase for phrase in listed)
    assert not FUNCTION & set(TYPES)
    assert {"a", "the", "his"} <= DETERMINERS
    assert all(TYPES[phrase][0] == "relation" for phrase in SYMMETRIC)


def test_synonyms_lead_to_a_word_that_leads_no_further() -> None:
    assert all(meaning(meaning(phrase)) == meaning(phrase) for phrase in SYNONYM)
    assert meaning("Grey") == "gray" or meaning("Gray") == "grey"
    assert meaning("In  Front of") == "in front of"
    for one, other in CONVERSE.items():
        assert CONVERSE[other] == one
        assert meaning(one) == one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a cat and a dog", "A dog  and a cat."),
        ("a cat, a dog and a bird on a mat", "a bird, a cat and a dog on a mat"),
        ("a cat next to a dog", "a dog beside a cat"),
        ("a cat near a dog and a bird", "a bird and a dog near a cat"),
        ("a big dog on a mat", "a large dog atop a mat"),
        ("an orange ball with a cat", "a cat with an orange ball"),
        ("a cat to the left of a dog", "a dog right of a cat"),
        ("a cat above a dog and a bird", "a bird and a dog below a cat"),
        ("A CAT UNDER A TABLE", "a cat beneath a table"),
    ],
)
def test_what_says_the_same_has_one_canonical_form(one: str, other: str) -> None:
    assert canonical(from_words(one)) == canonical(from_words(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a cat on a dog", "a dog on a cat"),
        ("a cat between a dog and a bird", "a dog between a cat and a bird"),
        ("a cat near a dog and a bird", "a dog near a cat and a bird"),
        ("a red cup and a blue cap", "a blue cup and a red cap"),
        ("a cat and a dog", "a cat or a dog"),
        ("a cat left of a dog", "a dog left of a cat"),
        ("a cat", "the cat"),
        ("a cat and a dog", "a cat and two dogs"),
    ],
)
def test_what_says_something_else_has_another(one: str, other: str) -> None:
    assert canonical(from_words(one)) != canonical(from_words(other))


def test_repeated_phrases_are_counted() -> None:
    scene = parser("scenes")
    assert repeats(scene("a red ring above a blue ring")) == 0
    assert repeats(scene("a red ring above a red ring")) == 1
