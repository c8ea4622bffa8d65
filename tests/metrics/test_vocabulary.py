"""Nearest words by hand, by brute force, and whatever the chunk."""

from __future__ import annotations

import pytest
import torch

from obvert.metrics import legibility, legibility_scale, nearest_tokens

TABLE = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [0.0, 0.0]])


def test_by_hand() -> None:
    found = nearest_tokens(torch.tensor([[0.6, 0.8], [-1.0, 0.0]]), TABLE, k=2)
    assert found.ids.tolist()[0] == [1, 0]
    assert found.values[0].tolist() == pytest.approx([0.8, 0.6])
    assert found.ids[1, 0] == 2
    near = nearest_tokens(torch.tensor([[0.6, 0.8], [-1.0, 0.0]]), TABLE, k=1, by="euclidean")
    assert near.ids.tolist() == [[0], [3]]
    assert near.values[:, 0].tolist() == pytest.approx([0.8**0.5, 1.0])


@pytest.mark.parametrize("by", ["cosine", "euclidean"])
@pytest.mark.parametrize("chunk", [1, 7, 100, 1000])
def test_chunks_and_brute_force(by: str, chunk: int) -> None:
    draw = torch.Generator().manual_seed(0)
    rows, table = torch.randn(2, 3, 8, generator=draw), torch.randn(100, 8, generator=draw)
    found = nearest_tokens(rows, table, k=4, by=by, chunk=chunk)  # type: ignore[arg-type]
    every = (
        torch.cosine_similarity(rows[:, :, None], table, dim=-1) if by == "cosine" else (rows[:, :, None] - table).norm(dim=-1)
    )
    values, ids = every.sort(dim=-1, descending=by == "cosine")
    assert torch.equal(found.ids, ids[..., :4])
    torch.testing.assert_close(found.values, values[..., :4], rtol=1e-4, atol=1e-5)
    half = nearest_tokens(rows, table.half(), k=1, by=by, chunk=chunk)  # type: ignore[arg-type]
    assert half.values.dtype == torch.float32


def test_legibility_of_words_of_mixtures_and_of_chance() -> None:
    draw = torch.Generator().manual_seed(0)
    table = torch.randn(500, 64, generator=draw)
    ids = torch.randint(500, (2, 5), generator=draw)
    scale = legibility_scale(ids, table, seed=1)
    assert scale["real"].tolist() == pytest.approx([1, 1])
    assert (scale["other"] < 0.6).all()
    assert (scale["chance"] < 0.6).all()
    mixed = (table[ids] + table[ids.flip(1)]) / 2
    assert ((legibility(mixed, table) > scale["chance"]) & (legibility(mixed, table) < 1)).all()
    mask = torch.tensor([[True, False, False, False, False], [False] * 5])
    one = legibility(mixed, table, mask=mask)
    assert one[0].item() == pytest.approx(nearest_tokens(mixed[0, :1], table, 1).values.item())
    assert one[1].isnan()


def test_a_word_can_leave_itself_out() -> None:
    found = nearest_tokens(TABLE[:2], TABLE, k=3, without=torch.tensor([0, -1]))
    assert 0 not in found.ids[0]
    assert found.ids[1, 0] == 1


def test_refused() -> None:
    for embeddings, k in ((torch.rand(2, 3), 1), (torch.rand(2, 2), 0), (torch.rand(2, 2), 5)):
        with pytest.raises(ValueError, match="need embeddings"):
            nearest_tokens(embeddings, TABLE, k)
    with pytest.raises(ValueError, match="1 <= k <= 3"):
        nearest_tokens(TABLE, TABLE, 4, without=torch.arange(4))
