"""ROxford and RParis: by hand, and by the loops of the definition."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from obvert.metrics import judged_retrieval, retrieval, revisited, trapezoidal_average_precision
from obvert.metrics.revisited import precision_at_k


def slow(scores: list[float], relevant: list[int], junk: list[int]) -> dict[str, float]:
    """One query: ranks of the relevant counted without junk, then trapezoids one by one."""
    order = sorted((i for i in range(len(scores)) if i not in junk), key=lambda i: -scores[i])
    ranks = [k for k, item in enumerate(order) if item in relevant]
    if not ranks:
        return dict.fromkeys(("map", "precision_at_1", "precision_at_5", "precision_at_10"), math.nan)
    area = 0.0
    for found, rank in enumerate(ranks):
        before = found / rank if rank else 1.0
        area += (before + (found + 1) / (rank + 1)) / 2 / len(ranks)
    result = {"map": area}
    for k in (1, 5, 10):
        looked = min(max(ranks) + 1, k)
        result[f"precision_at_{k}"] = sum(rank < looked for rank in ranks) / looked
    return result


def toy(seed: int, queries: int = 5, gallery: int = 23) -> tuple[Tensor, Tensor, list[list[int]], list[list[int]]]:
    """Unit features; a third of the gallery relevant and a third junk, by the query; one query has nothing relevant."""
    rng = torch.Generator().manual_seed(seed)
    x, y = (F.normalize(torch.randn(n, 4, generator=rng), dim=1) for n in (queries, gallery))
    kind = torch.randint(3, (queries, gallery), generator=rng)
    kind[2] = kind[2].clamp(min=1)
    relevant, junk = ([row.eq(k).nonzero().flatten().tolist() for row in kind] for k in (0, 1))
    return x, y, relevant, junk


def test_by_hand() -> None:
    scores = torch.tensor([[0.9, 0.8, 0.7, 0.6]])
    relevant = torch.tensor([[False, True, False, True]])
    # Precision runs 1, 0, 1/2, 1/3, 1/2 from rank 0 on: (0 + 1/2) / 2 at rank 2 and (1/3 + 1/2) / 2 at rank 4.
    want = ((0 + 1 / 2) / 2 + (1 / 3 + 1 / 2) / 2) / 2
    assert trapezoidal_average_precision(scores, relevant).item() == pytest.approx(want, abs=1e-15)
    assert [precision_at_k(scores, relevant, k).item() for k in (1, 2, 3, 4, 10)] == pytest.approx(
        [0, 1 / 2, 1 / 3, 1 / 2, 1 / 2]
    )
    first = torch.tensor([[True, False, False, False]])
    assert trapezoidal_average_precision(scores, first).item() == 1
    assert precision_at_k(scores, first, 10).item() == 1  # one rank is looked at, the last with something to find


def test_junk_is_as_if_never_there() -> None:
    query = torch.tensor([[1.0, 0.0]])
    angles = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])
    gallery = torch.stack((angles.cos(), angles.sin()), 1)
    found = revisited(query, gallery, [[1, 4]], junk=[[0, 3]])  # what is left ranks 1, 2, 4: yes, no, yes
    assert found["map"].item() == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)
    assert found["precision_at_1"].item() == 1
    assert found["precision_at_10"].item() == pytest.approx(2 / 3)
    assert revisited(query, gallery[[1, 2, 4]], [[0, 2]]) == found
    assert revisited(query, gallery, [[0]], junk=[[0]])["map"].isnan().all()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_loops_of_the_definition_agree(seed: int) -> None:
    x, y, relevant, junk = toy(seed)
    found = revisited(x, y, relevant, junk=junk)
    scores = (x.double() @ y.double().T).tolist()
    for i in range(len(x)):
        want = slow(scores[i], relevant[i], junk[i])
        assert {name: value[i].item() for name, value in found.items()} == pytest.approx(want, rel=1e-12, nan_ok=True)
    assert found["map"][2].isnan()


@pytest.mark.parametrize("measure", [revisited, judged_retrieval])
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_chunk_never_changes_the_result(measure, chunk: int) -> None:
    x, y, relevant, junk = toy(0, queries=7)
    want = measure(x, y, relevant, junk=junk)
    for name, value in measure(x, y, relevant, junk=junk, chunk=chunk).items():
        torch.testing.assert_close(value, want[name], equal_nan=True, rtol=0, atol=0)


def test_lists_say_the_same_as_labels() -> None:
    x, y, _, _ = toy(1)
    labels, of = torch.arange(5) % 3, torch.arange(23) % 4
    lists = [of.eq(label).nonzero().flatten().tolist() for label in labels]
    for one, two in zip(retrieval(x, y, labels, of).values(), judged_retrieval(x, y, lists).values(), strict=True):
        assert torch.equal(one, two)
    itself = retrieval(y, y, of, of, self_index=torch.arange(23))
    lists = [of.eq(label).nonzero().flatten().tolist() for label in of]
    listed = judged_retrieval(y, y, lists, junk=[[i] for i in range(23)])
    assert all(torch.equal(itself[name], listed[name]) for name in itself)


@pytest.mark.parametrize("measure", [revisited, judged_retrieval])
def test_refused(measure) -> None:
    x, y, relevant, junk = toy(0)
    with pytest.raises(ValueError, match="relevant rows for each of 5 queries, got 4"):
        measure(x, y, relevant[:4])
    with pytest.raises(ValueError, match=r"need junk rows in \[0, 23\), got 1 outside"):
        measure(x, y, relevant, junk=[[23], *junk[1:]])
    with pytest.raises(ValueError, match="chunk >= 1"):
        measure(x, y, relevant, chunk=0)
    with pytest.raises(ValueError, match="finite gallery features"):
        measure(x, y / 0, relevant)
    with pytest.raises(ValueError, match="k >= 1"):
        precision_at_k(torch.rand(1, 2), torch.ones(1, 2, dtype=torch.bool), 0)


def test_an_empty_gallery_is_nan() -> None:
    assert revisited(torch.rand(2, 3), torch.rand(0, 3), [[], []])["map"].isnan().all()
    assert trapezoidal_average_precision(torch.rand(2, 0), torch.zeros(2, 0, dtype=torch.bool)).isnan().all()
