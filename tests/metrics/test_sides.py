"""Which side fails: on features built so that it is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.metrics import differences, which_side

N, D = 40, 16


def features(seed: int) -> Tensor:
    """(N, 2, D) unit features of items and their counterparts."""
    return normalize(torch.randn(N, 2, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=2)


def verdict(texts: Tensor, pictures: Tensor) -> str:
    found = differences(texts, pictures)
    return which_side(found.text.mean().item(), found.image.mean().item(), found.cosine.mean().item())


def near(x: Tensor, by: float) -> Tensor:
    """The counterparts brought near the items."""
    return torch.stack((x[:, 0], normalize(x[:, 0] + by * (x[:, 1] - x[:, 0]), dim=1)), 1)


def test_each_side_is_named() -> None:
    good = features(0)
    assert verdict(good, good) == "sees"
    assert verdict(near(good, 0.02), good) == "text-blind"
    assert verdict(good, near(good, 0.02)) == "visual-blind"
    assert verdict(near(good, 0.02), near(good, 0.02)) == "blind"


def test_differences_that_do_not_meet_are_misaligned() -> None:
    base, text, picture = (features(seed)[:, 0] for seed in (8, 9, 10))
    none = torch.zeros(N, D, dtype=torch.float64)
    own = torch.cat((base, none, none), 1)
    texts = normalize(torch.stack((own, torch.cat((base, text, none), 1)), 1), dim=2)
    pictures = normalize(torch.stack((own, torch.cat((base, none, picture), 1)), 1), dim=2)
    assert differences(texts, pictures).cosine.abs().mean() < differences(texts, texts).cosine.mean() / 3
    assert verdict(features(8), features(9)) == verdict(features(8), -features(8)) == "misaligned"
    assert verdict(texts, texts) == "sees"


def test_unrelated_items_lie_at_one() -> None:
    x = features(2)
    found = differences(x, x)
    assert found.text.square().mean().sqrt().item() == pytest.approx(1, abs=0.1)
    assert found.cosine.mean().item() == pytest.approx(1)
    assert found.text.shape == found.image.shape == found.cosine.shape == (N,)


def test_a_narrow_cone_is_not_blindness() -> None:
    x = features(3)
    narrow = torch.cat((x * 0.01, torch.full((N, 2, 1), 0.99995, dtype=torch.float64)), 2)
    found, wide = differences(narrow, narrow), differences(x, x)
    torch.testing.assert_close(found.text, wide.text)
    torch.testing.assert_close(found.cosine, wide.cosine)


def test_a_constant_gap_changes_nothing() -> None:
    x, gap = features(4), torch.randn(D, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    for one, other in zip(vars(differences(x, x + gap)).values(), vars(differences(x, x)).values(), strict=True):
        torch.testing.assert_close(one, other)


def test_the_same_text_twice_is_blind_without_a_warning() -> None:
    x = features(6)
    found = differences(x[:, :1].expand(N, 2, D), x)
    assert found.text.eq(0).all()
    assert found.cosine.eq(0).all()


def test_the_thresholds_are_the_callers() -> None:
    assert which_side(0.15, 1.0, 0.3) == "sees"
    assert which_side(0.15, 1.0, 0.3, blind=0.2) == "text-blind"
    assert which_side(1.0, 0.15, 0.3, blind=0.2) == "visual-blind"
    assert which_side(0.15, 1.0, 0.3, askew=0.5) == "misaligned"


def test_what_cannot_be_compared_is_told() -> None:
    with pytest.raises(ValueError, match="N >= 2"):
        differences(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
    with pytest.raises(ValueError, match="need features"):
        differences(torch.zeros(3, 2, 3), torch.zeros(3, 2, 4))
    with pytest.raises(ValueError, match="all alike"):
        differences(torch.ones(3, 2, 3), features(7)[:3, :, :3])
