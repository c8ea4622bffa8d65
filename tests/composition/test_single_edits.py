"""Whether one edit leads to a sentence is known without making them all, as from making them all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from obvert.composition.moves import Move, made
from obvert.composition.operators import Vocabulary, chains, edits
from obvert.composition.operators import _single as single
from obvert.composition.text.canonical import canonical
from obvert.composition.text.lexicon import CONVERSE, meaning
from obvert.composition.text.parsing import parser
from obvert.composition.text.sentence import Sentence

free = parser("lexicon")


@pytest.mark.parametrize(
    "text",
    [
        "a red cube left of a blue ball and a cat",
        "a cat and a dog and a bird on a red mat",
        "a small red dog on a wooden table left of a large blue cup and a tall man in a green shirt",
    ],
)
def test_single_edits_are_known_without_making_them_all(text: str) -> None:
    before, rng = free(text), np.random.default_rng(0)
    seen = Vocabulary.of([before, free("two dogs and a cat sit on a large bench"), free("a yellow bowl behind a girl")])
    first, found = edits(before, seen), Counter[bool]()
    for i in rng.permutation(len(first))[:6]:
        second = edits(first[i].after, seen)
        for j in rng.permutation(len(second))[:6]:
            after = second[j].after
            there = Vocabulary.of([after])
            turned = {
                at: (*said, *(CONVERSE[meaning(w)] for w in said if meaning(w) in CONVERSE)) for at, said in there.words.items()
            }
            slow = canonical(after) in {canonical(edit.after) for edit in edits(before, replace(there, words=turned))}
            assert single(before, after) is slow, after.text
            found[slow] += 1
    assert found[False] > 5


def test_chains_of_a_long_caption_take_no_longer_by_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(sentence: Sentence, move: Move) -> Sentence | None:
        nonlocal calls
        calls += 1
        return made(sentence, move)

    monkeypatch.setattr("obvert.composition.operators.made", counted)
    part = "a small red dog on a wooden table left of a large blue cup"
    long = free(" behind ".join([part] * 8))
    assert chains(long, 3, Vocabulary.of([long]), np.random.default_rng(0), 1)
    assert calls < 400
