"""What a corpus teaches: lessons known beforehand, by hand and by brute force over strings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from obvert.composition.corpora.corpus import Corpus
from obvert.composition.corpora.teaching import MOST, Lesson, lessons, one_of_each
from obvert.composition.moves import made, sites
from obvert.composition.operators import Vocabulary, edits
from obvert.composition.text.parsing import parser
from obvert.tasks.audit_captions import scene_captions

SCENES = parser("scenes")


def taught(tmp_path: Path, captions: list[tuple[str, str]]) -> dict[tuple[str, str, str], Lesson]:
    corpus = Corpus(tmp_path)
    intake = corpus.read(captions)
    found = lessons(corpus, [SCENES(text) for _, text in intake.sample], [picture for picture, _ in intake.sample])
    return {(one.operator, one.kind, one.group): one for one in found}


def test_a_swap_is_taught_by_any_other_order(tmp_path: Path) -> None:
    pair = ["a red circle left of a blue ring", "a blue circle left of a red ring"]
    found = taught(tmp_path, [("", text) for text in [*pair, "a green star left of a pink moon"]])
    colour = found["swap", "attribute", "colour"]
    assert (colour.captions, colour.taught, colour.exact) == (3, 2, 2)
    assert sorted(colour.found) == sorted([(pair[0], pair[1]), (pair[1], pair[0])])
    assert colour.missing == (("a green star left of a pink moon", "a pink star left of a green moon"),)
    assert colour.share == pytest.approx(2 / 3)
    assert colour.interval[0] < 2 / 3 < colour.interval[1]
    shape = found["swap", "object", "shape"]
    assert (shape.taught, shape.exact) == (2, 0), "a ring left of a circle is not there, but the other order of colours is"


def test_repeated_captions_and_those_of_the_same_picture_teach_no_order(tmp_path: Path) -> None:
    pair = ["a red circle left of a blue ring", "a blue circle left of a red ring"]
    for name, captions in {
        "repeated": [("", pair[0]), ("", pair[0])],
        "one picture": [("x", pair[0]), ("x", pair[1])],
    }.items():
        (folder := tmp_path / name).mkdir()
        assert taught(folder, captions)["swap", "attribute", "colour"].taught == 0


def test_a_replacement_is_taught_word_for_word_alone(tmp_path: Path) -> None:
    found = taught(tmp_path, [("", "a red circle"), ("", "a blue circle"), ("", "ring blue a")][:2])
    assert found["replace", "attribute", "colour"].taught == 2
    assert ("swap", "attribute", "colour") not in found


def test_shares_are_those_of_strings(tmp_path: Path) -> None:
    captions = list(scene_captions(250, 3))
    found = taught(tmp_path, captions)
    texts = [text for _, text in captions]
    sentences = [SCENES(text) for text in texts]
    vocabulary = Vocabulary.of(sentences, most=MOST)
    bags: dict[tuple[str, ...], set[str]] = {}
    for text in texts:
        bags.setdefault(tuple(sorted(text.split())), set()).add(text)
    chance: dict[tuple[str, str, str], list[float]] = {}
    for sentence in sentences:
        mine: dict[tuple[str, str, str], list[bool]] = {}
        every = [replace(site, words=said) for site, options in sites(sentence, vocabulary) for said in options]
        for move in every:
            if (after := made(sentence, move)) is not None:
                there = after.text in texts
                if move.operator == "swap":
                    there = bool(bags.get(tuple(sorted(after.text.split())), set()) - {sentence.text})
                mine.setdefault((move.operator, move.kind, move.group), []).append(there)
        for sort, hits in mine.items():
            chance.setdefault(sort, []).append(float(np.mean(hits)))
    assert {sort for sort in found if sort[2]} == set(chance)
    for sort, shares in chance.items():
        deviation = np.sqrt(sum(p * (1 - p) for p in shares))
        assert found[sort].captions == len(shares)
        assert abs(found[sort].taught - sum(shares)) <= 4 * deviation + 1e-9, sort


def test_one_edit_of_each_sort() -> None:
    sentence = SCENES("a small red circle left of a large blue ring")
    vocabulary = Vocabulary.of([sentence, SCENES("a green star above a dotted pink moon on a dark background")])
    drawn = list(one_of_each(sentence, vocabulary, np.random.default_rng(0)))
    sorts = [sort for sort, _ in drawn]
    assert len(sorts) == len(set(sorts))
    legal = {edit.after.text for edit in edits(sentence, vocabulary)}
    assert all(after.text in legal for _, after in drawn)
    assert {(edit.operator, edit.kind, edit.group) for edit in edits(sentence, vocabulary)} <= set(sorts)
