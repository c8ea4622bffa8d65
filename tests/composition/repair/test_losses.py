"""Losses of a repair: by hand, and what must not change them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.composition.repair.losses import apart, contrastive, crossed, focal

NONE = torch.zeros(0, 2, dtype=torch.float64)
EYE = torch.eye(2, dtype=torch.float64)


def unit(*shape: int) -> Tensor:
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64), dim=-1)


def test_contrastive_by_hand() -> None:
    # two pictures along the axes with their texts on them: logits 3 and 0
    expected = -math.log(math.exp(3) / (math.exp(3) + 1))
    assert contrastive(EYE, EYE, NONE, 3.0).item() == pytest.approx(expected)
    # a hard negative along the first axis is one more option of each picture, and of no text
    hard = EYE[:1]
    first = -math.log(math.exp(3) / (2 * math.exp(3) + 1))
    second = -math.log(math.exp(3) / (math.exp(3) + 2))
    assert contrastive(EYE, EYE, hard, 3.0).item() == pytest.approx(((first + second) / 2 + expected) / 2)


def test_focal_by_hand() -> None:
    right, wrong = EYE[:1], [EYE[1:]]
    p = 1 / (1 + math.exp(-3))
    for gamma in (0.0, 2.0):
        value = focal(EYE[:1], right, wrong, 3.0, gamma).item()
        assert value == pytest.approx((1 - p) ** gamma * -math.log(p))


def test_focal_counts_each_picture_over_its_own_negatives_alone() -> None:
    images, right = unit(3, 4), unit(3, 4)
    wrong = [unit(2, 4), unit(0, 4), unit(5, 4)]
    alone = [focal(images[i : i + 1], right[i : i + 1], [wrong[i]], 10.0) for i in (0, 2)]
    torch.testing.assert_close(focal(images, right, wrong, 10.0), torch.stack(alone).mean())


def test_apart_by_hand() -> None:
    assert apart(EYE, EYE).item() == 0
    assert apart(EYE, EYE.flip(0)).item() == pytest.approx(2)
    assert apart(EYE, torch.zeros(2, 2, dtype=torch.float64)).item() == pytest.approx(1)


def test_crossed_by_hand() -> None:
    # the interaction of two pictures and texts on the same axes is 1 + 1 - 0 - 0
    assert crossed(EYE[None], EYE[None], 0.5).item() == pytest.approx(math.log1p(math.exp(-2 / 0.5)))
    assert crossed(EYE[None], EYE.flip(0)[None], 0.5).item() == pytest.approx(math.log1p(math.exp(2 / 0.5)))
    assert crossed(EYE[None], EYE[:1].expand(2, 2)[None], 0.5).item() == pytest.approx(math.log(2))  # texts that are one


def test_a_constant_gap_changes_no_crossed_loss() -> None:
    images, texts, gap = unit(5, 2, 6), unit(5, 2, 6), unit(6)
    torch.testing.assert_close(crossed(images + gap, texts - 3 * gap, 0.1), crossed(images, texts, 0.1))


def test_what_is_not_there_costs_nothing_and_has_gradients() -> None:
    texts = torch.zeros(0, 2, 3, requires_grad=True)
    some = unit(2, 3).requires_grad_()
    empty = torch.zeros(0, 3, dtype=torch.float64)
    for loss in (
        crossed(torch.zeros(0, 2, 3), texts, 0.1),
        focal(unit(2, 3), some, [empty, empty], 1.0),
        apart(some[:0], some[:0]),
    ):
        assert loss.item() == 0
        loss.backward()


def test_the_order_of_the_batch_does_not_matter() -> None:
    images, texts, hard = unit(4, 5), unit(4, 5).flip(0), unit(3, 5)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(contrastive(images[order], texts[order], hard.flip(0), 9.0), contrastive(images, texts, hard, 9.0))


def test_a_step_along_the_gradient_helps() -> None:
    images, texts = unit(6, 2, 8), unit(6, 2, 8).requires_grad_()
    before = crossed(images, texts, 0.2)
    (gradient,) = torch.autograd.grad(before, texts)
    assert crossed(images, texts - 0.1 * gradient, 0.2) < before
