"""Edit distances by hand and by brute force; what does not count as a difference."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from obvert.metrics import character_error_rate, edit_distance, exact_match, normalise, word_error_rate

LETTERS = st.text("abc", max_size=6)


def brute_force(one: str, other: str) -> int:
    @functools.cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        same = distance(i - 1, j - 1) + (one[i - 1] != other[j - 1])
        return min(same, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(one), len(other))


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [("kitten", "sitting", 3), ("flaw", "lawn", 2), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0), ("", "", 0)],
)
def test_edit_distance_by_hand(one: str, other: str, edits: int) -> None:
    assert edit_distance(one, other) == edits


@given(LETTERS, LETTERS)
def test_edit_distance_by_brute_force(one: str, other: str) -> None:
    assert edit_distance(one, other) == brute_force(one, other) == edit_distance(list(other), list(one))


def test_case_punctuation_and_spaces_do_not_count() -> None:
    assert normalise("  A RED  apple; don’t-touch!\n") == "a red apple dont touch"
    assert normalise("Straße, №5 café") == "strasse no5 café"
    found, wanted = ["A red apple.", "a blue apple", ""], ["a red  apple", "a red apple", "..."]
    assert exact_match(found, wanted).tolist() == [1, 0, 1]


def test_error_rates_by_hand() -> None:
    wanted = ["a red apple on a wooden table"] * 4
    found = ["A red apple on a wooden table!", "a red apple on a table", "a green apple on a big wooden table", ""]
    assert word_error_rate(found, wanted).tolist() == pytest.approx([0, 1 / 7, 2 / 7, 1])
    assert character_error_rate(["abd"], ["abc"]).tolist() == pytest.approx([1 / 3])
    assert word_error_rate(["far too much said"], ["nothing"]).item() == 4
    assert word_error_rate(["something"], ["!"]).isnan().all()
    assert math.isnan(character_error_rate([""], [""]).item())
    assert word_error_rate([], []).shape == (0,)
    assert word_error_rate(["a"], ["b"]).dtype == torch.float64


def test_lists_of_unlike_length_are_refused() -> None:
    for measure in (exact_match, word_error_rate, character_error_rate):
        with pytest.raises(ValueError, match="as many found texts"):
            measure(["one"], ["one", "two"])
        with pytest.raises(ValueError, match="two lists"):
            measure("one", "one")
