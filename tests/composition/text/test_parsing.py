"""Parsers: Scenes exactly, free text by hand-made answers, and what users mark themselves."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from obvert.composition.text import tagger
from obvert.composition.text.parsing import from_doc, from_spans, from_template, parser
from obvert.composition.text.sentence import Sentence
from obvert.core import ObvertError
from obvert.zoo.scenes import OPPOSITE, caption, sample, sample_mention

seeds = st.integers(0, 2**32 - 1)
scene = parser("scenes")


def said(sentence: Sentence) -> list[tuple[str, str, str]]:
    return [(atom.text, atom.kind, atom.group) for atom in sentence.atoms]


def test_a_caption_of_scenes_by_hand() -> None:
    sentence = scene("a photo of a small striped red circle left of a large shape on a dark background")
    assert said(sentence) == [
        ("small", "attribute", "size"),
        ("striped", "attribute", "texture"),
        ("red", "attribute", "colour"),
        ("circle", "object", "shape"),
        ("left of", "relation", "spatial"),
        ("large", "attribute", "size"),
        ("shape", "object", "any"),
        ("dark", "attribute", "tone"),
    ]


@given(seed=seeds)
def test_every_caption_of_scenes_is_read_in_full(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for drawn in sample(4, seed):
        mention = sample_mention(rng)
        sentence = scene(caption(drawn, mention))
        things = drawn.things[::-1] if mention.second_first else drawn.things
        wanted = []
        for thing in things if mention.second else things[:1]:
            for group in ("size", "texture", "colour"):
                wanted += [(getattr(thing, group), "attribute", group)] * getattr(mention, group)
            wanted.append((thing.shape, "object", "shape") if mention.shape else ("shape", "object", "any"))
        if len(things) == 2 and mention.second and mention.relation:
            relation = OPPOSITE[drawn.relation] if mention.second_first else drawn.relation
            wanted.append((relation, "relation", "spatial"))
        wanted += [(drawn.background.tone, "attribute", "tone")] * mention.tone
        assert sorted(said(sentence)) == sorted(wanted)


@pytest.mark.parametrize("text", ["", "a red dog", "a circle a square", "a circle, a square", "A circle", "a red small circle"])
def test_no_caption_of_scenes_is_refused(text: str) -> None:
    with pytest.raises(ObvertError, match="need a caption of Scenes"):
        scene(text)


ANSWERS = {
    "A metal bench sits next to the parked cars.": "attribute metal, object bench, relation sits, relation next to, attribute "
    "parked, object cars",
    "Girls wash a motorcycle while men look on.": "object Girls, relation wash, object motorcycle, object men, relation look, "
    "relation on",
    "a small orange cat in front of an orange": "attribute small, attribute orange, object cat, relation in front of, "
    "object orange",
    "A couple of children holding tennis rackets": "attribute A couple of, object children, relation holding, attribute tennis, "
    "object rackets",
    "a smiling man at an outside restaurant": "attribute smiling, object man, relation at, attribute outside, object restaurant",
    "A snow covered hill to the left of the road": "attribute snow, attribute covered, object hill, relation to the left of, "
    "object road",
    "THERE ARE TWO DOGS": "attribute TWO, object DOGS",
    "a shirt that reads hello": "object shirt, relation reads, object hello",
    "": "",
    "...": "",
}


@pytest.mark.parametrize("name", ["lexicon", "tagger"])
@pytest.mark.parametrize("text", ANSWERS)
def test_free_text_by_hand(name: str, text: str) -> None:
    if name == "tagger":
        pytest.importorskip("HanTa")
    assert ", ".join(f"{atom.kind} {atom.text}" for atom in parser(name)(text).atoms) == ANSWERS[text]


def test_groups_are_those_of_the_lists() -> None:
    found = said(parser()("two large wooden round striped old boxes under a red lamp, softly painted"))
    assert [group for _, _, group in found] == [
        "number", "size", "material", "shape", "texture", "age", "", "spatial", "colour", "", "manner", "action",
    ]  # fmt: skip


@given(text=st.text(max_size=60))
def test_any_text_has_atoms_that_stand_in_it(text: str) -> None:
    sentence = parser("lexicon")(text)
    assert sentence.text == text
    assert all(text[atom.start : atom.stop] == atom.text for atom in sentence.atoms)


def test_the_tagger_is_not_tripped_by_anything() -> None:
    pytest.importorskip("HanTa")
    for text in ("", "  ", "猫と犬", "1/2 & 3", "naïve café's", "A" * 300, "a\nb"):
        assert parser("tagger")(text).text == text


def test_without_the_tagger_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    tagger.loaded.cache_clear()
    monkeypatch.setitem(sys.modules, "HanTa.HanoverTagger", None)
    with pytest.raises(ObvertError, match=r"need the tagger HanTa .* pip install 'obvert\[parsing\]'"):
        parser("tagger")


def test_an_unknown_parser_is_named() -> None:
    with pytest.raises(ObvertError, match="need a parser among lexicon, tagger, scenes, template, got 'spacy'"):
        parser("spacy")


def test_spans_of_the_user_in_any_order() -> None:
    text = "a red cup on a shelf"
    sentence = from_spans(text, [(6, 9, "object", "crockery"), (2, 5, "attribute"), (10, 12, "relation"), (15, 20, "object")])
    assert said(sentence) == [
        ("red", "attribute", "colour"),
        ("cup", "object", "crockery"),
        ("on", "relation", "spatial"),
        ("shelf", "object", ""),
    ]


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(2, 5, "colour")], "need atoms of the kinds object, attribute, relation, got 'colour' for 'red'"),
        ([(2, 40, "object")], "need spans of words within the 9 characters"),
        ([(5, 6, "object")], "need spans of words"),
        ([(4, 4, "object")], "need spans of words"),
        ([(2, 5, "attribute"), (4, 9, "object")], "need atoms in order, apart"),
    ],
)
def test_spans_that_cannot_be_are_refused(spans: list[tuple[int, int, str]], message: str) -> None:
    with pytest.raises(ObvertError, match=message):
        from_spans("a red cup", spans)


def test_a_template_marks_its_atoms() -> None:
    sentence = from_template("A [attribute/hue:red] [object:tea cup] [relation:to the left of] a [object:table].")
    assert sentence.text == "A red tea cup to the left of a table."
    assert [(kind, group) for _, kind, group in said(sentence)] == [
        ("attribute", "hue"),
        ("object", ""),
        ("relation", "spatial"),
        ("object", ""),
    ]
    assert from_template("no mark").atoms == ()


@pytest.mark.parametrize("template", ["a [red] cup", "a [object:cup", "a [object:] cup", "a cup]"])
def test_a_bracket_that_is_no_mark_is_refused(template: str) -> None:
    with pytest.raises(ObvertError, match="need marks like"):
        from_template(template)


@dataclass
class Word:
    text: str
    idx: int
    pos_: str
    dep_: str = ""


class Doc(list[Word]):
    """As much of a spaCy Doc as is asked for."""

    def __init__(self, *words: tuple[str, ...]) -> None:
        at = 0
        for text, *tags in words:
            self.append(Word(text, at, *tags))
            at += len(text) + 1
        self.text = " ".join(word.text for word in self)


def test_a_doc_of_spacy() -> None:
    doc = Doc(
        ("Parked", "VERB", "amod"), ("fire", "NOUN", "compound"), ("trucks", "NOUN"), ("are", "AUX"), ("standing", "VERB"),
        ("in", "ADP"), ("front", "NOUN"), ("of", "ADP"), ("two", "NUM"), ("tall", "ADJ"), ("houses", "NOUN"), (".", "PUNCT"),
    )  # fmt: skip
    assert [(text, kind) for text, kind, _ in said(from_doc(doc))] == [
        ("Parked", "attribute"),
        ("fire", "attribute"),
        ("trucks", "object"),
        ("standing", "relation"),
        ("in front of", "relation"),
        ("two", "attribute"),
        ("tall", "attribute"),
        ("houses", "object"),
    ]


def test_what_hyphens_join_in_a_doc_is_one_word() -> None:
    doc = Doc(("a", "DET"), ("t", "NOUN"), ("-", "PUNCT"), ("shirt", "NOUN"), ("-", "PUNCT"), ("cup", "NOUN"))
    doc.text = "a t-shirt - cup"
    for word, at in zip(doc, (0, 2, 3, 4, 10, 12), strict=True):
        word.idx = at
    assert [(text, kind) for text, kind, _ in said(from_doc(doc))] == [("t-shirt", "object"), ("cup", "object")]


def test_a_doc_without_parts_of_speech_is_refused() -> None:
    with pytest.raises(ObvertError, match="need a Doc with parts of speech, got none for 'cups'"):
        from_doc(Doc(("cups", "")))
