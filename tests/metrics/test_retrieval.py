"""Retrieval measures: by hand, by brute force, and by what must not change them."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from obvert.metrics import average_precision, average_precision_at_r, bootstrap, r_precision, recall_at_k, retrieval

MEASURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "map": average_precision,
    "map_at_r": average_precision_at_r,
    "r_precision": r_precision,
    "recall_at_1": lambda scores, relevant: recall_at_k(scores, relevant, 1),
}
every = pytest.mark.parametrize("name", MEASURES)


def brute_force(scores: list[float], relevant: list[bool]) -> dict[str, float]:
    """The definitions, in loops."""
    kept = [i for i in range(len(scores)) if scores[i] != -math.inf]
    rel = [relevant[i] for i in sorted(kept, key=lambda i: -scores[i])]
    r = sum(rel)
    if r == 0:
        return dict.fromkeys(MEASURES, math.nan)
    gains = [sum(rel[: k + 1]) / (k + 1) * rel[k] for k in range(len(rel))]
    return {"map": sum(gains) / r, "map_at_r": sum(gains[:r]) / r, "r_precision": sum(rel[:r]) / r, "recall_at_1": float(rel[0])}


def shuffled(rows: int, columns: int, seed: int) -> tuple[Tensor, Tensor]:
    """Scores 1 to N without ties, and relevance at random."""
    rng = torch.Generator().manual_seed(seed)
    scores = torch.stack([torch.randperm(columns, generator=rng) for _ in range(rows)]).double() + 1
    return scores, torch.rand(rows, columns, generator=rng) < 0.3


def labelled(rows: int = 60, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Unit features with duplicates among them, and labels, one of them alone in its class."""
    rng = torch.Generator().manual_seed(seed)
    features = F.normalize(torch.randn(rows, 8, generator=rng), dim=1)
    features[rows // 2 : rows // 2 + 5] = features[:5]
    labels = torch.randint(6, (rows,), generator=rng)
    labels[7] = 99
    return features, labels


def f64(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_by_hand() -> None:
    scores = torch.tensor([[0.1, 0.9, 0.7, 0.5]])
    relevant = torch.tensor([[False, True, False, True]])
    torch.testing.assert_close(average_precision(scores, relevant), f64((1 / 1 + 2 / 3) / 2))
    torch.testing.assert_close(average_precision_at_r(scores, relevant), f64(1 / 2))
    torch.testing.assert_close(r_precision(scores, relevant), f64(1 / 2))
    missed = ~relevant
    assert [recall_at_k(scores, missed, k).item() for k in (1, 2, 4, 9)] == [0, 1, 1, 1]


@every
@given(seed=st.integers(0, 10**6), ties=st.booleans(), removed=st.booleans())
@settings(max_examples=25, deadline=None)
def test_brute_force(name: str, seed: int, ties: bool, removed: bool) -> None:
    scores, relevant = shuffled(4, 11, seed)
    scores = (scores / 3).floor() if ties else scores
    scores[:, 2] = -math.inf if removed else scores[:, 2]
    want = f64(*(brute_force(s, r)[name] for s, r in zip(scores.tolist(), relevant.tolist(), strict=True)))
    torch.testing.assert_close(MEASURES[name](scores, relevant), want, equal_nan=True, rtol=1e-12, atol=0)


def test_scikit_learn_agrees() -> None:
    from sklearn.metrics import average_precision_score

    scores, relevant = shuffled(20, 50, 0)
    want = f64(*(average_precision_score(r.numpy(), s.numpy()) for s, r in zip(scores, relevant, strict=True)))
    torch.testing.assert_close(average_precision(scores, relevant), want)


@every
@given(gain=st.floats(0.1, 10), shift=st.floats(-5, 5))
@settings(deadline=None)
def test_only_the_order_matters(name: str, gain: float, shift: float) -> None:
    scores, relevant = shuffled(3, 7, 0)
    same_order = (gain * (scores / 7) + shift).exp()
    assert torch.equal(MEASURES[name](scores, relevant), MEASURES[name](same_order, relevant))


@every
@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_orders_of_queries_and_gallery(name: str, seed: int) -> None:
    scores, relevant = shuffled(5, 9, seed)
    rng = torch.Generator().manual_seed(seed + 1)
    rows, columns = torch.randperm(5, generator=rng), torch.randperm(9, generator=rng)
    values = MEASURES[name](scores, relevant)
    moved = MEASURES[name](scores[rows][:, columns], relevant[rows][:, columns])
    torch.testing.assert_close(moved, values[rows], equal_nan=True, rtol=0, atol=0)


@every
def test_ties_keep_the_order_of_the_gallery(name: str) -> None:
    relevant = torch.tensor([[False, False, True], [True, False, False]])
    assert MEASURES[name](torch.zeros(2, 3), relevant).tolist() == pytest.approx([1 / 3 if name == "map" else 0, 1])


@every
def test_nothing_relevant_is_nan_not_zero(name: str) -> None:
    measure = MEASURES[name]
    assert measure(torch.rand(2, 4), torch.zeros(2, 4, dtype=torch.bool)).isnan().all()
    assert measure(torch.tensor([[-math.inf, 1.0]]), torch.tensor([[True, False]])).isnan().all()
    assert measure(torch.rand(2, 0), torch.zeros(2, 0, dtype=torch.bool)).isnan().all()


@every
def test_precision_of_the_scores_does_not_matter(name: str) -> None:
    scores, relevant = shuffled(4, 30, 1)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.long):
        values = MEASURES[name](scores.to(dtype), relevant)
        assert values.dtype == torch.float64
        assert torch.equal(values, MEASURES[name](scores, relevant))


def test_retrieval_without_the_query_itself() -> None:
    features, labels = labelled()
    scores = (features.double() @ features.double().T).float().fill_diagonal_(-math.inf)
    found = retrieval(features, features, labels, labels, self_index=torch.arange(60))
    for i in range(60):
        want = brute_force(scores[i].tolist(), (labels == labels[i]).tolist())
        assert {name: value[i].item() for name, value in found.items()} == pytest.approx(want, rel=1e-12, nan_ok=True)
    assert found["map"][7].isnan()
    itself = retrieval(features, features, labels, labels)
    assert itself["recall_at_1"][8:30].eq(1).all()
    assert itself["map"][7] == 1


def test_removed_is_as_if_never_there() -> None:
    features, labels = labelled()
    others = torch.arange(60) != 3
    query = features[3:4], labels[3:4]
    here = retrieval(query[0], features, query[1], labels, self_index=torch.tensor([3]))
    assert here == retrieval(query[0], features[others], query[1], labels[others])


@pytest.mark.parametrize("chunk", [1, 7, 59, 60, 1000])
def test_chunk_never_changes_the_result(chunk: int) -> None:
    features, labels = labelled()
    for own in (None, torch.arange(60)):
        want = retrieval(features, features, labels, labels, self_index=own)
        for name, value in retrieval(features, features, labels, labels, self_index=own, chunk=chunk).items():
            assert value.dtype == torch.float64
            torch.testing.assert_close(value, want[name], equal_nan=True, rtol=0, atol=0)


def test_no_queries() -> None:
    features, labels = labelled()
    assert all(value.shape == (0,) for value in retrieval(features[:0], features, labels[:0], labels).values())


MEMORY = """
import sys
import torch
from pathlib import Path
from obvert.metrics import retrieval

def peak():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line) / 2**10

torch.set_num_threads(1)
x = torch.nn.functional.normalize(torch.randn(20_000, 64), dim=1)
y = torch.randint(200, (20_000,))
retrieval(x[:8], x[:64], y[:8], y[:64])
for queries in (512, int(sys.argv[1])):
    before = peak()
    retrieval(x[:queries], x, y[:queries], y, self_index=torch.arange(queries))
    print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the high-water mark of Linux")
@pytest.mark.parametrize("queries", [1024, pytest.param(20_000, marks=pytest.mark.slow)])
def test_memory_is_that_of_one_chunk(queries: int) -> None:
    """A first chunk of 512 x 20,000 stays far below 1 GB and those after it add next to nothing."""
    out = subprocess.run([sys.executable, "-c", MEMORY, str(queries)], capture_output=True, text=True, check=True).stdout
    first, others = map(float, out.split())
    assert 100 < first < 600
    assert others < 100


def test_bootstrap_covers() -> None:
    rng = torch.Generator().manual_seed(0)
    inside = 0
    for seed in range(100):
        mean, low, high = bootstrap(torch.rand(60, generator=rng), seed=seed, draws=200, level=0.9)
        assert low <= mean <= high
        inside += low <= 0.5 <= high
    assert 80 <= inside <= 98


def test_bootstrap_ignores_nan_and_keeps_its_seed() -> None:
    values = torch.rand(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with_nan = torch.cat([values[:20], f64(math.nan, math.nan), values[20:]])
    assert bootstrap(with_nan, seed=3) == bootstrap(values, seed=3) != bootstrap(values, seed=4)
    assert bootstrap(values)[0] == values.mean().item()
    assert bootstrap(torch.full((9,), 0.25)) == (0.25, 0.25, 0.25)
    assert all(map(math.isnan, bootstrap(f64(math.nan)) + bootstrap(f64())))


@every
def test_refused_scores(name: str) -> None:
    measure, yes = MEASURES[name], torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"got \(2, 4\) and \(2, 3\)"):
        measure(torch.rand(2, 4), yes)
    with pytest.raises(ValueError, match=r"torch\.float32"):
        measure(torch.rand(2, 3), yes.float())
    with pytest.raises(ValueError, match="1 of 2 queries with NaN"):
        measure(torch.tensor([[0, math.nan, 1], [0, 1, 2]]), yes)


def test_refused_arguments() -> None:
    features, labels = labelled()
    broken = features.clone()
    broken[[3, 5], 0] = math.nan
    cases: list[tuple[str, tuple[Tensor, ...], dict[str, object]]] = [
        ("query features, got 2 of 60 rows", (broken, features, labels, labels), {}),
        ("gallery features, got 2 of 60 rows", (features, broken, labels, labels), {}),
        (r"\(60, 8\) and \(60, 4\)", (features, features[:, :4], labels, labels), {}),
        ("one query label", (features, features, labels[:5], labels), {}),
        ("one gallery label", (features, features, labels, labels[:5]), {}),
        ("need self_index", (features, features, labels, labels), {"self_index": torch.arange(5)}),
        ("got 1 outside", (features, features, labels, labels), {"self_index": torch.arange(60) + 1}),
        ("chunk >= 1, got 0", (features, features, labels, labels), {"chunk": 0}),
    ]
    for message, args, options in cases:
        with pytest.raises(ValueError, match=message):
            retrieval(*args, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="k >= 1, got 0"):
        recall_at_k(torch.rand(1, 2), torch.ones(1, 2, dtype=torch.bool), 0)
    for bad in ({"draws": 0}, {"level": 1.0}):
        with pytest.raises(ValueError, match="need values"):
            bootstrap(torch.rand(5), **bad)
