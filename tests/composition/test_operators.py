"""Operators by hand, on Scenes against its own counterfactuals, and what must never come out of them."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from obvert.composition.moves import made, sites
from obvert.composition.operators import Edit, Vocabulary, chains, edits
from obvert.composition.text.canonical import canonical
from obvert.composition.text.parsing import from_template, parser
from obvert.composition.text.sentence import Sentence
from obvert.core import ObvertError
from obvert.zoo.counterfactuals import add, counterfactuals
from obvert.zoo.scenes import Mention, caption, sample, sample_mention

seeds = st.integers(0, 2**32 - 1)
scene, free = parser("scenes"), parser("lexicon")
WORDS = Vocabulary.of(scene(caption(drawn)) for drawn in sample(300, 0))
NONE = Vocabulary(words={})


def drawn_caption(seed: int) -> Sentence:
    return scene(caption(sample(1, seed)[0], sample_mention(np.random.default_rng(seed))))


def texts(sentence: Sentence, vocabulary: Vocabulary, operator: str, kind: str = "", group: str | None = None) -> list[str]:
    found = edits(sentence, vocabulary, (operator,))
    return [edit.after.text for edit in found if kind in ("", edit.kind) and group in (None, edit.group)]


@pytest.mark.parametrize(
    ("text", "kind", "group", "wanted"),
    [
        ("A red cup on an old blue table.", "attribute", "colour", ["A blue cup on an old red table."]),
        ("A red cup on an old blue table.", "object", "", ["A red table on an old blue cup."]),
        ("A red cup on an old blue table.", "object", "phrase", ["An old blue table on a red cup."]),
        ("An orange cat chasing a dog", "object", "phrase", ["A dog chasing an orange cat"]),
        ("a cat under a table on a mat", "relation", "spatial", ["a cat on a table under a mat"]),
        ("two small cats behind a big dog", "object", "", ["two small dogs behind a big cat"]),
        ("two small cats behind a big dog", "object", "phrase", ["a big dog behind two small cats"]),
        ("Two cats are behind a dog", "object", "phrase", []),
        ("There are three apples in a bowl", "object", "phrase", []),
        ("one cat under two dogs", "attribute", "number", ["two cats under one dog"]),
        ("one cat is under two dogs", "attribute", "number", []),
        ("A LARGE CAT ON A SMALL MAT", "attribute", "size", ["A SMALL CAT ON A LARGE MAT"]),
        ("a man drinking water", "object", "", []),
        ("a slice of pizza", "object", "phrase", []),
        ("a black and white cat", "attribute", "colour", []),
    ],
)
def test_swaps_by_hand(text: str, kind: str, group: str, wanted: list[str]) -> None:
    assert texts(free(text), NONE, "swap", kind, group) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "a cat and a dog",
        "a cat or a dog",
        "a cat with a dog",
        "a cat next to a dog",
        "a cat near a dog",
        "a cat on a cat",
        "",
        "猫",
    ],
)
def test_even_joints_synonyms_and_equal_words_are_no_swap(text: str) -> None:
    assert texts(free(text), NONE, "swap") == []
    assert texts(free("a big dog on a large mat"), NONE, "swap", "attribute") == []


def test_between_two_the_two_may_change_places_and_the_third_may_not() -> None:
    assert texts(free("a dog between a cat and a bird"), NONE, "swap") == [
        "a cat between a dog and a bird",
        "a bird between a cat and a dog",
    ]


def test_replacements_fit_their_place() -> None:
    corpus = map(free, ["an owl on a mat", "grey sheep eating grass", "a gray cat near the sand", "a red dog", "two green cups"])
    words = Vocabulary.of(corpus)
    sentence = free("The gray cat sitting on an orange mat")
    cats = [f"The {colour} cat sitting on an orange mat" for colour in ("red", "green")]  # gray is grey
    mats = [f"The gray cat sitting on a {colour} mat" for colour in ("grey", "gray", "red", "green")]
    assert texts(sentence, words, "replace", "attribute") == [*cats, *mats]
    nouns = texts(sentence, words, "replace", "object")
    firsts = [f"The gray {noun} sitting on an orange mat" for noun in ("sand", "owl", "mat", "dog", "sheep", "grass")]
    assert nouns == [*firsts, *(f"The gray cat sitting on an orange {noun}" for noun in ("owl", "cat", "dog"))]
    assert texts(sentence, words, "replace", "relation") == ["The gray cat sitting near an orange mat"]


def test_nothing_broader_is_put_for_a_word() -> None:
    seen = Vocabulary.of(map(free, ["a man on a horse", "a person on a couch", "a dog and an animal", "a kid and a sofa"]))
    assert not {"a person on a horse", "a man on an animal"} & set(texts(free("a man on a horse"), seen, "replace"))
    assert "a man on a couch" in texts(free("a person on a couch"), seen, "replace")
    assert "a kid on a couch" not in texts(free("a boy on a couch"), seen, "replace")


def test_a_group_without_words_takes_them_from_elsewhere_when_told() -> None:
    sentence = free("a red cup")
    alone = Vocabulary.of([sentence])
    assert texts(sentence, alone, "replace") == []
    helped = Vocabulary.of([sentence], otherwise=Vocabulary.listed())
    assert "a blue cup" in texts(sentence, helped, "replace", "attribute", "colour")
    assert "a blue red cup" not in texts(sentence, helped, "add")
    assert all(edit.group != "colour" for edit in edits(sentence, helped, ("add",)))


def test_what_is_added_stands_where_it_belongs() -> None:
    words = Vocabulary.of(map(free, ["a small wooden chair on a mat", "a red dog behind a bird and a cup"]))
    added = texts(free("An old cup is on a table"), words, "add")
    assert "A small old cup is on a table" in added
    assert "An old red cup is on a table" in added
    assert "An old cup is on a wooden table" in added
    assert not any("cup and" in text or "and a cup" in text for text in added)
    assert any(text.startswith("An old cup is on a table ") for text in added)
    assert texts(free("a bird on a cup behind a mat"), words, "add", "object") == []  # the corpus has no more than three


def test_nothing_stands_for_the_unnamed_shape() -> None:
    sentence = scene("a red shape above a blue circle")
    assert all(
        edit.after.text.startswith("a red shape") for edit in edits(sentence, WORDS, ("replace",)) if edit.kind == "object"
    )
    assert texts(sentence, WORDS, "swap", "object") == ["a blue circle above a red shape"]
    assert texts(sentence, WORDS, "swap", "object", "shape") == []
    turned = texts(scene("a shape left of a shape"), WORDS, "replace", "relation")
    assert sorted(turned) == ["a shape above a shape", "a shape below a shape"]  # right of says the same


@given(seed=seeds)
def test_every_edit_of_a_caption_of_scenes_is_one_again_with_its_atoms(seed: int) -> None:
    sentence = drawn_caption(seed)
    found = edits(sentence, WORDS)
    assert len({edit.after.text for edit in found}) == len(found) > 0
    for edit in found:
        assert edit.before == sentence
        assert scene(edit.after.text) == edit.after
        assert canonical(edit.after) != canonical(sentence)
        kinds = sorted((atom.kind, atom.group) for atom in sentence.atoms)
        after = sorted((atom.kind, atom.group) for atom in edit.after.atoms)
        assert (after == kinds) == (edit.operator != "add")


@given(seed=seeds)
def test_a_swap_done_twice_is_none(seed: int) -> None:
    sentence = drawn_caption(seed)
    for move, _ in sites(sentence, NONE, ("swap",)):
        after = made(sentence, move)
        if after is not None:
            assert made(after, move) == sentence


@settings(max_examples=30)
@given(seed=seeds)
def test_the_counterfactuals_of_scenes_are_among_the_edits(seed: int) -> None:
    drawn = sample(1, seed)[0]
    before = scene(caption(drawn))
    found = edits(before, WORDS)
    by = {canonical(edit.after): edit for edit in reversed(found)}
    for pair in counterfactuals(drawn, np.random.default_rng(seed)):
        if pair.operator == "add":
            continue
        after = scene(pair.captions[1])
        edit = by[canonical(after)]
        if pair.atom == "relation":  # where the positions are swapped, the caption tells it by the relation
            assert any(edit.after == after and edit.kind == "relation" for edit in found) or edit.operator == "swap"
        else:
            group = "shape" if pair.atom == "object" else pair.atom
            assert (edit.operator, edit.group, edit.after) == (pair.operator, group, after)


def test_the_thing_that_a_counterfactual_adds_is_added_in_a_few_edits() -> None:
    bare = Mention(size=False, texture=False, colour=False)
    for drawn in sample(20, 0, things=1):
        added = add(drawn, np.random.default_rng(0))
        names = {edit.after.atoms[-2].text for edit in edits(scene(caption(drawn, bare)), WORDS, ("add",))}
        assert added.things[1].shape in names or added.things[1].shape == drawn.things[0].shape


@settings(max_examples=10)
@example(seed=125, depth=3)  # one replaced relation, told from the other side
@given(seed=seeds, depth=st.integers(1, 5))
def test_a_chain_has_its_depth_and_undoes_nothing(seed: int, depth: int) -> None:
    sentence = scene(caption(sample(1, seed, things=2)[0]))
    found = chains(sentence, depth, WORDS, np.random.default_rng(seed), 3)
    assert len({canonical(chain.after) for chain in found}) == len(found) == 3
    for chain in found:
        assert chain.depth == len(chain.edits) == depth
        assert chain.before == sentence
        assert all(one.after == other.before for one, other in itertools.pairwise(chain.edits))
        seen = [canonical(sentence), *(canonical(edit.after) for edit in chain.edits)]
        assert len(set(seen)) == depth + 1
        assert scene(chain.after.text) == chain.after
        if depth > 1:
            assert seen[-1] not in {canonical(edit.after) for edit in edits(sentence, WORDS)}


def test_a_chain_of_swaps_ends_where_there_is_no_way_on() -> None:
    rng = np.random.default_rng(0)
    colours = scene("a red ring above a blue ring")
    assert [chain.after.text for chain in chains(colours, 1, NONE, rng, 5)] == ["a blue ring above a red ring"]
    assert chains(colours, 2, NONE, rng, 5) == []
    both = scene("a small red ring above a large blue moon")
    assert chains(both, 3, NONE, rng, 5) == []  # three swaps of parts are one of the whole


def test_what_was_put_in_is_not_replaced_again() -> None:
    sentence = from_template("[object:x]")
    words = Vocabulary(words={("object", "", "bare"): ("x", "y", "z")}, objects=1)
    assert {chain.after.text for chain in chains(sentence, 1, words, np.random.default_rng(0), 9)} == {"y", "z"}
    assert chains(sentence, 2, words, np.random.default_rng(0), 9) == []


def test_the_generator_decides() -> None:
    sentence = drawn_caption(3)
    one, same, other = (chains(sentence, 2, WORDS, np.random.default_rng(seed), 4) for seed in (0, 0, 1))
    assert one == same != other


def test_what_cannot_be_asked_for_is_refused() -> None:
    with pytest.raises(ObvertError, match="need operators among swap, replace, add, got swop"):
        edits(free("a cat"), WORDS, ("swop",))
    with pytest.raises(ObvertError, match="got none"):
        edits(free("a cat"), WORDS, ())
    with pytest.raises(ObvertError, match="need a depth of 1 or more, got 0"):
        chains(free("a cat"), 0, WORDS, np.random.default_rng(0), 1)


@pytest.mark.parametrize("text", ["", "   ", "猫と犬", "a", "A a A", "!!!", "x" * 500, "a cup cup cup cup"])
def test_odd_texts_have_edits_or_none_but_no_accident(text: str) -> None:
    words = Vocabulary.of([free("a red cup on a mat"), free("two dogs and a cat behind a blue car")])
    found: list[Edit] = edits(free(text), words)
    assert all(edit.after.text != text for edit in found)
    assert all(chain.depth == 2 for chain in chains(free(text), 2, words, np.random.default_rng(0), 2))


def test_real_captions_keep_their_atoms_in_place(shared_data: Path) -> None:
    items = json.loads((shared_data / "sugarcrepe" / "swap_obj.json").read_text(encoding="utf-8"))
    sentences = [free(item["caption"]) for item in items.values()]
    words = Vocabulary.of(sentences)
    for sentence in sentences[:40]:
        for edit in edits(sentence, words, ("swap",)):
            before, after = ([atom.text.lower() for atom in side.atoms] for side in (edit.before, edit.after))
            assert len(before) == len(after)
            assert before != after
            assert edit.after.text[:1].isupper() == sentence.text[:1].isupper()


def test_listed_words_are_kept_in_small_letters_and_names_as_they_are() -> None:
    words = Vocabulary.of(map(free, ['A sign that says "Big London"', "RED CUPS", "Dogs on a mat"]))
    held = {word for listed in words.words.values() for word in listed}
    assert {"big", "London", "red", "cups", "dogs"} <= held
