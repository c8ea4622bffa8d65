"""BERTScore and sentence cosine over embeddings that are made up, so that every match is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from obvert.metrics import Tokens, bert_score, sentence_cosine

WORDS = {"[start]": [0, 0, 1], "a": [1, 0, 0], "b": [0, 1, 0], "c": [3, 4, 0], "pad": [5, 5, 5]}
IDS = {word: i for i, word in enumerate(WORDS)}


def model(texts: Sequence[str]) -> Tokens:
    """A start, then a vector for each word; padded by a vector that would match everything."""
    rows = [["[start]", *text.split()] for text in texts]
    width = max(map(len, rows)) + 1
    full = [row + ["pad"] * (width - len(row)) for row in rows]
    mask = torch.tensor([[word != "pad" for word in row] for row in full])
    words = mask & torch.tensor([[word != "[start]" for word in row] for row in full])
    states = torch.tensor([[WORDS[word] for word in row] for row in full], dtype=torch.float32)
    return Tokens(states, mask, words, torch.tensor([[IDS[word] for word in row] for row in full]))


def test_matching_by_hand() -> None:
    found = bert_score(model, ["a b", "a", "c"], ["a b", "a b", "a"])
    assert found["precision"].tolist() == pytest.approx([1, 1, 0.6])
    assert found["recall"].tolist() == pytest.approx([1, 0.5, 0.6])
    assert found["f1"].tolist() == pytest.approx([1, 2 / 3, 0.6])


def test_rare_words_weigh_more() -> None:
    corpus = ["a b", "a", "a c"]  # a: log(4/4) = 0, b and c: log(4/2), unseen: log 4
    found = bert_score(model, ["a"], ["a b"], corpus=corpus)
    assert found["recall"].item() == pytest.approx(0)  # only b weighs, and nothing is like it
    mixed = bert_score(model, ["b"], ["b c"], corpus=["c", "a", "a"])
    unseen, seen = math.log(4), math.log(4 / 2)
    assert mixed["recall"].item() == pytest.approx((unseen * 1 + seen * 0.8) / (unseen + seen))


def test_a_batch_equals_its_samples() -> None:
    found, wanted = ["a b", "c", "a a a c"], ["c", "a b b", "b"]
    whole = bert_score(model, found, wanted)
    for row in range(3):
        alone = bert_score(model, found[row : row + 1], wanted[row : row + 1])
        assert {name: value.item() for name, value in alone.items()} == pytest.approx(
            {n: v[row].item() for n, v in whole.items()}
        )
        torch.testing.assert_close(
            sentence_cosine(model, found, wanted)[row], sentence_cosine(model, [found[row]], [wanted[row]])[0]
        )


def test_sentences_are_means_of_tokens() -> None:
    wanted = torch.cosine_similarity(
        torch.tensor([0.5, 0.5, 0.0]) * 2 / 3 + torch.tensor([0, 0, 1 / 3]), torch.tensor([1.0, 0, 1]), dim=0
    )
    assert sentence_cosine(model, ["a b"], ["a"]).item() == pytest.approx(wanted.item())
    assert sentence_cosine(model, ["a c"], ["c a"]).item() == pytest.approx(1)


def test_nothing_to_compare() -> None:
    assert bert_score(model, [""], ["a"])["f1"].isnan().all()
    assert bert_score(model, [], [])["f1"].shape == sentence_cosine(model, [], []).shape == (0,)
    with pytest.raises(ValueError, match="as many found texts"):
        bert_score(model, ["a"], [])
    with pytest.raises(ValueError, match="two lists"):
        sentence_cosine(model, "a", "a")
