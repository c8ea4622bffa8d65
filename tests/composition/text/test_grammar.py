"""Grammar after an edit, by hand: articles, capitals, number, and the forms of words."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obvert.composition.text.grammar import PLURALS, article, ending, form, forms, inflected, lowered, mended, plural
from obvert.composition.text.parsing import from_words
from obvert.composition.text.phrases import phrases
from obvert.composition.text.sentence import Sentence


@pytest.mark.parametrize(
    "words",
    [
        "an apple", "a cup", "an hour", "a unicorn", "a uniform", "an umbrella", "an unopened box",
        "an unidentified man", "a one-way street", "an onion", "a European city", "an SUV", "an X-ray", "a TV", "a UFO",
        "an 8 year old", "an 11th cup", "a 10 inch plate", "an 18 wheeler", "an honest man", "a horse", "a used car",
        "a utensil", "an upright dog", "a red ring", "an orange ring", "an eye",
    ],
)  # fmt: skip
def test_articles_go_by_the_sound(words: str) -> None:
    said, word, *_ = words.split()
    assert article(word) == said


@pytest.mark.parametrize(
    ("before", "made", "right"),
    [
        ("A red cup.", "a orange cup.", "An orange cup."),
        ("An orange cup and a red one", "a red cup and a orange one", "A red cup and an orange one"),
        ("a red cup", "a orange cup", "an orange cup"),
        ("A RED CUP", "an orange cup", "AN ORANGE CUP"),
        ("A ORANGE CUP", "a orange hat", "A ORANGE HAT"),
        ("He took a hour", "He took a hour more", "He took a hour more"),
        ("  A cup", "  cups", "  Cups"),
        ("", "", ""),
    ],
)
def test_what_the_edit_touched_is_mended_and_nothing_else(before: str, made: str, right: str) -> None:
    assert mended(Sentence(text=made), Sentence(text=before)).text == right


def test_the_first_word_loses_its_capital_unless_it_is_spelled_so() -> None:
    assert lowered(from_words("Blue cups")).atoms[0].text == "blue"
    assert lowered(Sentence(text="TV on a table")).text == "TV on a table"
    assert lowered(Sentence(text="I eat")).text == "I eat"
    assert lowered(Sentence(text="")).text == ""


FORMS = [("cup", "cups"), ("box", "boxes"), ("city", "cities"), ("toy", "toys"), ("man", "men"), ("glass", "glasses")]
FORMS += [("church", "churches"), ("bus", "buses"), ("shelf", "shelves"), ("giraffe", "giraffes"), ("potato", "potatoes")]


@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize(("one", "many"), [*FORMS, ("teddy bear", "teddy bears"), ("stop-sign", "stop-signs")])
def test_number_with_and_without_a_dictionary(one: str, many: str, dictionary: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not dictionary:
        monkeypatch.setitem(sys.modules, "lemminflect", None)
    else:
        pytest.importorskip("lemminflect")
    assert not plural(one)
    assert plural(many)
    assert inflected(one, many=True) == inflected(many, many=True) == many
    assert inflected(many, many=False) == inflected(one, many=False) == one


@pytest.mark.parametrize("noun", ["sheep", "deer", "fish"])
def test_what_has_one_form_keeps_it(noun: str) -> None:
    assert inflected(noun, many=True) == inflected(noun, many=False) == noun


@given(noun=st.sampled_from(sorted(PLURALS)))
def test_listed_plurals_go_there_and_back(noun: str) -> None:
    assert inflected(inflected(noun, many=True), many=False) == noun


@pytest.mark.parametrize(("verb", "end"), [("sitting", "ing"), ("sits", "s"), ("sit", ""), ("parked", "ed"), ("sat", "ed")])
def test_endings_of_verbs(verb: str, end: str) -> None:
    assert ending(verb) == end


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a cup", ["counted"]),
        ("the cup", ["single"]),
        ("water", ["bare"]),
        ("two cups", ["plural", "plural"]),
        ("one cup", ["single", "counted"]),
        ("two sheep", ["plural", "plural"]),
        ("a two layer cake", ["plural", "", "counted"]),
        ("a lot of water", ["plural", "bare"]),
        ("these sheep", ["plural"]),
        ("a man holding it", ["counted", "ing object"]),
        ("a man sitting on a mat", ["counted", "ing", "object", "counted"]),
        ("zebras walk by", ["plural", "", ""]),
    ],
)
def test_the_form_that_a_place_asks_for(text: str, wanted: list[str]) -> None:
    sentence = from_words(text)
    of = {phrase.noun: phrase for phrase in phrases(sentence)}
    assert [form(sentence, index, of.get(index)) for index in range(len(sentence.atoms))] == wanted


def test_after_the_stands_what_is_counted_and_what_is_not() -> None:
    assert set(forms("single")) == {"single", "counted", "bare"}
    assert forms("counted") == ("counted",)
    assert forms("ing object") == ("ing object",)
