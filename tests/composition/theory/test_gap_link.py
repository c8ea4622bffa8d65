"""The gap link where the answer is known: a constant gap, and texts that are one."""

from __future__ import annotations

import pytest
import torch
from torch import Generator
from torch.nn.functional import normalize

from obvert.composition.theory.gap_link import constant_share, predicted, selected
from obvert.core import ObvertError


def unit(count: int, seed: int) -> torch.Tensor:
    return normalize(torch.randn(count, 6, generator=Generator().manual_seed(seed), dtype=torch.float64), dim=1)


def test_under_a_constant_gap_the_texts_say_what_the_pictures_do() -> None:
    text, other, gap = unit(20, 0), unit(20, 1), 3 * unit(1, 2)
    assert constant_share(text + gap, text) == pytest.approx(1)
    found = selected(text + gap, other + gap, text)
    torch.testing.assert_close(found, predicted(text, other))
    torch.testing.assert_close(found, (text - other).square().sum(1) / 2)


def test_texts_that_are_one_select_nothing() -> None:
    text, gap = unit(20, 0), unit(1, 2)
    assert predicted(text, text).abs().max() == 0
    assert selected(text + gap, text + gap, text).abs().max() == 0


def test_selected_by_hand() -> None:
    one, other, text = (torch.tensor([row]) for row in ([1.0, 0.0], [0.0, 1.0], [0.6, 0.8]))
    assert selected(one, other, text).item() == pytest.approx(-0.2)


def test_a_gap_that_is_noise_is_not_constant() -> None:
    text = unit(4000, 0)
    assert constant_share(text + unit(4000, 1), text) < 0.01


def test_no_gap_is_refused() -> None:
    with pytest.raises(ObvertError, match="that differ"):
        constant_share(unit(3, 0), unit(3, 0))
