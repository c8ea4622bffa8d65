"""Fusion: by scores it is the weighted sum of scores, and with a native gallery both kinds rank alike."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from obvert.core import ObvertError
from obvert.tasks._apply import Applied
from obvert.tasks._fuse import fuse_features, fuse_scores

G = torch.Generator().manual_seed(1)


def some(queries: int, d: int) -> torch.Tensor:
    return normalize(torch.randn(queries, d, generator=G), dim=1)


ONE = Applied(name="one", queries=some(5, 4), gallery=some(9, 4), seconds=0.1)
OTHER = Applied(name="other", queries=some(5, 6), gallery=some(9, 6), seconds=0.2)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_scores_are_summed(weight: float) -> None:
    fused = fuse_scores(ONE, OTHER, weight)
    wanted = (1 - weight) * ONE.queries @ ONE.gallery.T + weight * OTHER.queries @ OTHER.gallery.T
    torch.testing.assert_close(fused.queries @ fused.gallery.T, wanted)
    torch.testing.assert_close(fused.queries.norm(dim=1), torch.ones(5))
    assert fused.seconds == pytest.approx(0.3)


def test_with_a_native_gallery_features_and_scores_rank_alike() -> None:
    same = Applied(name="oti", queries=some(5, 4), gallery=ONE.gallery, seconds=0.2)
    by_scores, by_features = fuse_scores(ONE, same, 0.6), fuse_features(ONE, same, 0.6)
    scores, others = by_scores.queries @ by_scores.gallery.T, by_features.queries @ ONE.gallery.T
    assert torch.equal(scores.argsort(dim=1), others.argsort(dim=1))
    assert not torch.allclose(scores, others)


def test_features_are_summed_on_both_sides() -> None:
    other = Applied(name="other", queries=some(5, 4), gallery=some(9, 4), seconds=0.2)
    fused = fuse_features(ONE, other, 0.25)
    torch.testing.assert_close(fused.gallery, normalize(0.75 * ONE.gallery + 0.25 * other.gallery, dim=1))


def test_a_weight_out_of_range_is_refused() -> None:
    with pytest.raises(ObvertError, match="from 0 to 1"):
        fuse_scores(ONE, OTHER, 1.5)
