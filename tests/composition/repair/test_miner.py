"""The miner: what brute force finds, in an analytic feature space; and what it must never bring."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.composition.operators import Vocabulary, edits
from obvert.composition.repair.miner import Miner, allowed
from obvert.composition.text.canonical import canonical
from obvert.composition.text.parsing import parser
from obvert.core import ObvertError

PARSE = parser("scenes")
TEXT = "a red circle left of a blue square"
WORDS = ["red", "blue", "green", "circle", "square", "star", "left", "right", "above"]


def encode(texts: Sequence[str]) -> Tensor:
    """Where each word stands in a text, early words counting more: order is seen, and every text has another feature."""
    rows = [[sum(0.7**at for at, said in enumerate(text.split()) if said == word) for word in WORDS] for text in texts]
    return normalize(torch.tensor(rows, dtype=torch.float64), dim=1)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    kinds = [f"a {colour} {shape}" for colour in ("red", "blue", "green") for shape in ("circle", "square", "star")]
    seen = [f"{one} {relation} {other}" for one, other in product(kinds, kinds) for relation in ("left of", "right of", "above")]
    return Vocabulary.of(PARSE(text) for text in seen)


def test_the_first_depth_is_what_brute_force_finds(vocabulary: Vocabulary) -> None:
    sentence, picture = PARSE(TEXT), encode([TEXT])
    (found,) = Miner(vocabulary=vocabulary, depth=1, beam=3, width=10_000)(picture, [sentence], encode)
    options = {canonical(edit.after): edit.after.text for edit in edits(sentence, vocabulary)}
    options.pop(canonical(sentence), None)
    near = (encode(list(options.values())) @ picture[0]).sort(descending=True).values
    assert [one.similarity for one in found] == pytest.approx(near[:3].tolist())
    assert [one.depth for one in found] == [1, 1, 1]
    for one in found:
        assert one.similarity == pytest.approx((encode([one.sentence.text]) @ picture[0]).item())


def test_a_wide_beam_of_two_steps_is_what_brute_force_finds(vocabulary: Vocabulary) -> None:
    sentence, picture = PARSE(TEXT), encode([TEXT])
    swaps = ("swap", "replace")
    miner = Miner(vocabulary=vocabulary, depth=2, beam=10_000, width=10_000, operators=swaps)
    (found,) = miner(picture, [sentence], encode)
    once = {canonical(edit.after): edit.after for edit in edits(sentence, vocabulary, swaps)}
    twice = {canonical(edit.after) for after in once.values() for edit in edits(after, vocabulary, swaps)}
    assert {canonical(one.sentence) for one in found if one.depth == 2} == twice - once.keys() - {canonical(sentence)}


def test_the_hardest_come_first_and_are_harder_than_drawn_ones(vocabulary: Vocabulary) -> None:
    picture = encode([TEXT])
    (narrow,) = Miner(vocabulary=vocabulary, depth=3, beam=4, width=10_000)(picture, [PARSE(TEXT)], encode)
    (wide,) = Miner(vocabulary=vocabulary, depth=3, beam=40, width=40)(picture, [PARSE(TEXT)], encode)
    for depth in (1, 2, 3):
        mine = [one.similarity for one in narrow if one.depth == depth]
        assert mine == sorted(mine, reverse=True)
        assert len(mine) == 4
        assert min(mine) > torch.tensor([one.similarity for one in wide if one.depth == depth]).mean()


def test_nothing_is_undone_or_says_the_same(vocabulary: Vocabulary) -> None:
    (found,) = Miner(vocabulary=vocabulary, depth=4, beam=30, width=60)(encode([TEXT]), [PARSE(TEXT)], encode)
    keys = [canonical(one.sentence) for one in found]
    assert len(set(keys)) == len(keys)
    assert "a blue square right of a red circle" not in [one.sentence.text for one in found]  # three edits away, and true
    assert canonical(PARSE(TEXT)) not in keys
    for one in found:
        assert one.edits[0].before.text == TEXT
        assert all(a.after == b.before for a, b in zip(one.edits, one.edits[1:], strict=False))


def test_a_symmetric_conjunction_is_no_negative(vocabulary: Vocabulary) -> None:
    text = "a red circle and a blue square"
    (found,) = Miner(vocabulary=vocabulary, depth=3, beam=60, width=10_000)(encode([text]), [PARSE(text)], encode)
    assert found
    assert "a blue square and a red circle" not in {one.sentence.text for one in found}


def test_another_caption_of_the_picture_is_no_negative(vocabulary: Vocabulary) -> None:
    miner, picture, sentence = Miner(vocabulary=vocabulary, depth=1, beam=1, width=10_000), encode([TEXT]), PARSE(TEXT)
    (first,) = miner(picture, [sentence], encode)
    (second,) = miner(picture, [sentence], encode, told=[{canonical(first[0].sentence)}])
    assert canonical(second[0].sentence) != canonical(first[0].sentence)
    assert second[0].similarity <= first[0].similarity


def test_a_batch_equals_its_samples_where_nothing_is_drawn(vocabulary: Vocabulary) -> None:
    texts = [TEXT, "a green star above a red square", "a blue circle"]
    miner, sentences = Miner(vocabulary=vocabulary, depth=2, beam=3, width=10_000), [PARSE(text) for text in texts]
    together = miner(encode(texts), sentences, encode)
    alone = [miner(encode([text]), [sentence], encode)[0] for text, sentence in zip(texts, sentences, strict=True)]
    assert [[one.sentence.text for one in found] for found in together] == [
        [one.sentence.text for one in found] for found in alone
    ]


def test_draws_are_seeded(vocabulary: Vocabulary) -> None:
    def texts(seed: int) -> list[str]:
        (found,) = Miner(vocabulary=vocabulary, width=5, seed=seed)(encode([TEXT]), [PARSE(TEXT)], encode)
        return [one.sentence.text for one in found]

    assert texts(0) == texts(0)
    assert texts(0) != texts(1)


def test_a_text_without_atoms_has_no_negatives() -> None:
    miner = Miner(vocabulary=Vocabulary(words={}))
    assert miner(encode(["red"]), [parser("lexicon")("hello")], encode) == [[]]


def test_the_curriculum_grows_evenly() -> None:
    assert [allowed(step, 9, 3) for step in range(9)] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert {allowed(step, 5, 1) for step in range(5)} == {1}


def test_what_does_not_fit_is_said_in_one_line(vocabulary: Vocabulary) -> None:
    for wrong in ({"depth": 0}, {"beam": 0}, {"width": 0}, {"seed": -1}):
        with pytest.raises(ObvertError, match="need a depth"):
            Miner(vocabulary=vocabulary, **wrong)
    with pytest.raises(ObvertError, match="got 2 pictures, 1 sentences"):
        Miner(vocabulary=vocabulary)(encode([TEXT, TEXT]), [PARSE(TEXT)], encode)
