"""Indicators by hand and against their definitions, pair by pair."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from obvert.metrics import anisotropy, triplet_violations, uniformity

G = torch.Generator().manual_seed(0)


def test_violations_pair_by_pair() -> None:
    x, labels = torch.randn(12, 4, generator=G), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 3])
    unit = normalize(x.double(), dim=1)
    for a, found in enumerate(triplet_violations(x, labels).tolist()):
        wrong = [
            float(unit[a] @ unit[o] > unit[a] @ unit[s])
            for s in range(12)
            for o in range(12)
            if s != a and labels[s] == labels[a] and labels[o] != labels[a]
        ]
        assert math.isnan(found) if not wrong else found == pytest.approx(sum(wrong) / len(wrong))


def test_perfect_and_worst_order_and_ties() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    assert triplet_violations(torch.eye(2)[labels], labels).tolist() == [0, 0, 0, 0]
    assert triplet_violations(torch.eye(2)[[0, 1, 0, 1]], labels).tolist() == [0.75] * 4
    assert triplet_violations(torch.ones(4, 2), labels).tolist() == [0.5] * 4
    assert triplet_violations(torch.ones(3, 2), torch.zeros(3)).isnan().all()


def test_anisotropy_and_uniformity_pair_by_pair() -> None:
    x = torch.randn(9, 5, generator=G)
    unit = normalize(x.double(), dim=1)
    pairs = [(i, j) for i in range(9) for j in range(9) if i != j]
    assert anisotropy(x) == pytest.approx(sum((unit[i] @ unit[j]).item() for i, j in pairs) / len(pairs))
    wanted = math.log(sum(math.exp(-2 * (unit[i] - unit[j]).square().sum()) for i, j in pairs) / len(pairs))
    assert uniformity(x) == pytest.approx(wanted)
    assert uniformity(x, chunk=2) == pytest.approx(wanted)
    assert anisotropy(torch.ones(4, 3)) == pytest.approx(1)
    assert uniformity(torch.ones(4, 3)) == pytest.approx(0, abs=1e-9)
