"""Detection by hand, against scikit-learn, and where ties are."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from obvert.metrics import detection


def test_by_hand() -> None:
    found = detection(torch.tensor([3.0, 2.0, 1.0]), torch.tensor([2.5, 0.5]))
    assert found.auc[0] == pytest.approx(4 / 6)
    assert found.tpr[0] == pytest.approx(1 / 3)
    assert found.accuracy[0] == pytest.approx(0.75)  # all positives and one negative, at a threshold of 1
    whole = detection(torch.tensor([torch.inf, 2.0]), torch.tensor([1.0, -torch.inf]))
    assert whole.auc == whole.tpr == whole.accuracy == (1.0, 1.0, 1.0)


def test_ties_count_half_and_fall_on_one_side() -> None:
    same = detection(torch.zeros(5), torch.zeros(7))
    assert same.auc[0] == 0.5
    assert same.tpr[0] == 0
    assert same.accuracy[0] == 0.5
    part = detection(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 0.0]))
    assert part.auc[0] == pytest.approx((2 * 0.5 + 2 * 1 + 0.5) / 6)
    assert part.tpr[0] == 0


def test_against_scikit_learn_with_ties() -> None:
    rng = torch.Generator().manual_seed(0)
    positive = (torch.randn(150, generator=rng) * 4).round() + 3
    negative = (torch.randn(250, generator=rng) * 4).round()
    labels = torch.tensor([1] * 150 + [0] * 250).numpy()
    scores = torch.cat((positive, negative)).numpy()
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    found = detection(positive, negative, draws=10, fpr=0.1)
    assert found.auc[0] == pytest.approx(roc_auc_score(labels, scores))
    assert found.tpr[0] == pytest.approx(tpr[fpr <= 0.1].max())
    assert found.accuracy[0] == pytest.approx(((tpr + 1 - fpr) / 2).max())


def test_a_known_area_lies_in_its_interval() -> None:
    inside = 0
    for seed in range(40):
        rng = torch.Generator().manual_seed(seed)
        found = detection(torch.randn(80, generator=rng) + 1, torch.randn(80, generator=rng), draws=200)
        truth = stats.norm.cdf(2**-0.5)
        inside += found.auc[1] <= truth <= found.auc[2]
        assert found.auc[1] < found.auc[0] < found.auc[2]
    assert stats.binomtest(inside, 40, 0.95).pvalue > 0.01


def test_scores_of_one_thing_are_drawn_together() -> None:
    rng = torch.Generator().manual_seed(0)
    positive, negative = torch.randn(60, generator=rng) + 1, torch.randn(60, generator=rng)
    again = positive[:, None].expand(-1, 9), negative[:, None].expand(-1, 9)  # nine times the same tells nothing new
    single, naive, grouped = detection(positive, negative), detection(*(x.flatten() for x in again)), detection(*again)
    assert single.auc[0] == naive.auc[0] == grouped.auc[0]

    def width(found: tuple[float, float, float]) -> float:
        return found[2] - found[1]

    assert width(naive.auc) < 0.5 * width(single.auc)
    assert width(grouped.auc) == pytest.approx(width(single.auc), rel=0.15)


def test_the_same_seed_the_same_intervals_and_refusals() -> None:
    high, low = torch.arange(10.0), torch.arange(8.0)
    assert detection(high, low) == detection(high, low) != detection(high, low, seed=1)
    for wrong in ((high[:0], low), (high[None], low), (high[:, None], low[:, None]), (high * torch.nan, low)):
        with pytest.raises(ValueError, match="need"):
            detection(*wrong)
    with pytest.raises(ValueError, match="fpr"):
        detection(high, low, fpr=1.0)
