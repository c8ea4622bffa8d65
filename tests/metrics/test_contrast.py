"""Contrasts scored: by hand, by breaking ties at random, against scipy's intervals, and by what must not change them."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from obvert.metrics import above, by_category, chosen, itt, macro, tally, tot, two_by_two, wilson

GRID = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=4, max_size=4)


def broken(scores: list[float], high: list[int], low: list[int]) -> float:
    """The share of all orders of tied scores in which every high one lies above every low one."""
    orders = [[(s, extra[i]) for i, s in enumerate(scores)] for extra in permutations(range(len(scores)))]
    return sum(min(o[i] for i in high) > max(o[i] for i in low) for o in orders) / len(orders)


def test_by_hand() -> None:
    high = torch.tensor([[2.0], [1.0], [0.0]])
    low = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert above(high, low).tolist() == pytest.approx([1, 0.5, 0])
    assert above(torch.zeros(1, 1), torch.zeros(1, 4)).item() == pytest.approx(1 / 5)
    assert above(torch.tensor([[0.3, 0.1]]), torch.tensor([[0.1]])).item() == pytest.approx(0.5)


@given(GRID)
def test_a_tie_counts_what_random_choice_wins(scores: list[float]) -> None:
    s = torch.tensor([scores])
    assert above(s[:, :1], s[:, 1:]).item() == pytest.approx(broken(scores, [0], [1, 2, 3]))
    assert above(s[:, :2], s[:, 2:]).item() == pytest.approx(broken(scores, [0, 1], [2, 3]))
    found = two_by_two(s.view(1, 2, 2))
    assert found.group.item() == pytest.approx(broken(scores, [0, 3], [1, 2]))
    first, second = (broken([scores[i], scores[j]], [0], [1]) for i, j in ((0, 1), (3, 2)))
    assert found.text.item() == pytest.approx(first * second)
    first, second = (broken([scores[i], scores[j]], [0], [1]) for i, j in ((0, 2), (3, 1)))
    assert found.image.item() == pytest.approx(first * second)


def test_all_alike_is_chance() -> None:
    found = two_by_two(torch.zeros(2, 2, 2))
    assert (found.text[0].item(), found.image[0].item()) == (0.25, 0.25)
    assert found.group[0].item() == pytest.approx(1 / 6)
    assert found.interaction.tolist() == [0, 0]


def test_two_by_two_by_hand() -> None:
    scores = torch.tensor([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.4], [0.7, 0.8]], [[0.4, 0.5], [0.1, 0.3]]])
    found = two_by_two(scores)
    assert found.text.tolist() == [1, 1, 0]
    assert found.image.tolist() == [1, 0, 0]
    assert found.group.tolist() == [1, 0, 0]
    assert found.interaction.tolist() == pytest.approx([1.4, 0.2, 0.1])


@given(GRID, st.floats(-3, 3), st.floats(-3, 3))
def test_a_gap_between_the_modalities_leaves_the_interaction(scores: list[float], of_picture: float, of_text: float) -> None:
    s = torch.tensor(scores, dtype=torch.float64).view(1, 2, 2)
    moved = s + torch.tensor([[of_picture], [-of_picture]]) + torch.tensor([[of_text, of_text / 2]])
    assert two_by_two(moved).interaction.item() == pytest.approx(two_by_two(s).interaction.item(), abs=1e-9)


def test_the_interaction_is_the_product_of_the_differences() -> None:
    texts, pictures = torch.randn(2, 3, 2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    want = ((pictures[:, 0] - pictures[:, 1]) * (texts[:, 0] - texts[:, 1])).sum(1)
    torch.testing.assert_close(two_by_two(pictures @ texts.transpose(1, 2)).interaction, want)


def test_two_captions_and_a_negative() -> None:
    scores = torch.tensor([[0.5, 0.4, 0.3], [0.5, 0.3, 0.4], [0.5, 0.4, 0.4], [0.4, 0.4, 0.4]])
    assert itt(scores).tolist() == pytest.approx([1, 0, 0.5, 1 / 3])
    assert tot(scores).tolist() == pytest.approx([1, 1, 1, 1 / 3])
    assert tot(torch.tensor([[0.4, 0.5, 0.1], [0.5, 0.5, 0.1]])).tolist() == [0, 0.5]


def test_items_of_every_shape_count_as_they_do_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(((0,),), 2), (((0, 1),), 3), (((0,), (1,)), 2), (((0,),), 5), (((2,), (0, 1)), 4)]
    right, sizes = zip(*[shapes[i % len(shapes)] for i in range(40)], strict=True)
    scores = [torch.randint(3, (len(r), size), generator=generator).float() for r, size in zip(right, sizes, strict=True)]
    found = chosen(scores, right)
    for one, told, credit in zip(scores, right, found, strict=True):
        each = [broken(s.tolist(), list(r), [i for i in range(len(s)) if i not in r]) for s, r in zip(one, told, strict=True)]
        assert credit.item() == pytest.approx(torch.tensor(each).prod().item())
    two = torch.stack(scores[2::5])
    torch.testing.assert_close(found[2::5], two_by_two(two).text)
    assert chosen([], []).shape == (0,)


def test_what_rounding_leaves_is_a_tie_only_when_asked_for() -> None:
    high, low = torch.tensor([[0.5 + 1e-7], [0.5 - 1e-7], [0.6]]), torch.full((3, 1), 0.5)
    assert above(high, low).tolist() == [1, 0, 1]
    assert above(high, low, tolerance=1e-6).tolist() == pytest.approx([0.5, 0.5, 1])


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (0, 40), (40, 40), (7, 20), (961, 1000), (1, 7511)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_scipys(right: int, count: int, level: float) -> None:
    want = binomtest(right, count).proportion_ci(level, method="wilson")
    assert wilson(right, count, level) == pytest.approx((want.low, want.high), abs=1e-12)


@given(st.integers(1, 300), st.floats(0, 1))
def test_wilson_holds_the_share_and_narrows(count: int, share: float) -> None:
    low, high = wilson(share * count, count)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    closer = wilson(share * count * 4, count * 4)
    assert closer[1] - closer[0] < high - low


def test_half_credits_lie_between() -> None:
    assert wilson(3, 10)[0] < wilson(3.5, 10)[0] < wilson(4, 10)[0]


def test_ties_are_counted_and_shown_both_ways() -> None:
    found = tally(torch.tensor([1.0, 0.5, 0.5, 0.0]))
    assert (found.credit, found.clear, found.ties, found.count) == (2.0, 1, 2, 4)
    assert (found.accuracy, found.strict) == (0.5, 0.25)
    assert found.interval == wilson(2, 4)


def test_macro_is_the_plain_mean_and_micro_is_not() -> None:
    credit = torch.tensor([1.0, 1.0, 1.0, 0.5])
    found = by_category(credit, ["b", "b", "b", "a"])
    assert list(found) == ["b", "a"]
    assert macro(found).accuracy == 0.75
    assert macro(found).strict == 0.5
    assert tally(credit).accuracy == 0.875
    alone = {"b": found["b"]}
    assert macro(alone).interval == pytest.approx(found["b"].interval)


def test_the_interval_of_a_macro_covers_as_often_as_it_says() -> None:
    generator, shares, sizes = torch.Generator().manual_seed(0), (0.9, 0.6, 0.75), (40, 150, 300)
    names = [name for name, size in zip("abc", sizes, strict=True) for _ in range(size)]
    chances = torch.cat([torch.full((size,), share) for share, size in zip(shares, sizes, strict=True)])
    hits = 0
    for _ in range(400):
        low, high = macro(by_category(torch.bernoulli(chances, generator=generator), names)).interval
        hits += low <= sum(shares) / 3 <= high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: above(torch.zeros(2, 1), torch.zeros(3, 1)), "need scores"),
        (lambda: above(torch.zeros(2, 0), torch.zeros(2, 1)), "need scores"),
        (lambda: above(torch.full((1, 1), torch.nan), torch.zeros(1, 1)), "need finite"),
        (lambda: above(torch.zeros(1, 1), torch.zeros(1, 1), -1), "tolerance"),
        (lambda: two_by_two(torch.zeros(2, 2)), "need scores"),
        (lambda: chosen([torch.zeros(2, 2)], [((0,),)]), "with 1 pictures at 0"),
        (lambda: wilson(3, 2), "need 0 <= right"),
        (lambda: wilson(0, 0), "need 0 <= right"),
        (lambda: wilson(1, 2, 1.0), "level"),
        (lambda: tally(torch.zeros(0)), "one item or more"),
        (lambda: tally(torch.tensor([1.5])), "in \\[0, 1\\]"),
        (lambda: by_category(torch.zeros(2), ["a"]), "a category of each"),
        (lambda: macro({}), "got none"),
    ],
)
def test_what_cannot_be_scored_is_told(wrong, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        wrong()
