"""Peak memory against sums done by hand."""

from __future__ import annotations

import torch

from obvert.tasks._memory import peak_memory

CPU = torch.device("cpu")
MIB = 2**20
FLOATS = MIB // 4


def test_what_lives_at_once_is_counted_once() -> None:
    def work() -> torch.Tensor:
        first, second = torch.zeros(FLOATS), torch.zeros(2 * FLOATS)
        views = first[:10], second.view(2, -1).T  # no memory of their own
        del first, views
        third = torch.zeros(FLOATS)  # first is still held by nobody: 2 + 1
        return second[:FLOATS].add_(third)

    assert peak_memory(work, CPU) == 3 * MIB


def test_what_was_there_before_is_not_counted() -> None:
    held = torch.zeros(8 * FLOATS)
    assert peak_memory(lambda: held.view(8, -1)[0] + 1, CPU) == MIB


def test_what_a_backward_pass_keeps_is_counted() -> None:
    weight = torch.zeros(FLOATS, requires_grad=True)

    def forward() -> torch.Tensor:
        x = weight
        for _ in range(4):
            x = x.exp()  # keeps its result
        return x.sum()

    with torch.no_grad():
        assert peak_memory(forward, CPU) < 2 * MIB + 100
    assert 4 * MIB <= peak_memory(forward, CPU) < 4 * MIB + 100
    assert peak_memory(lambda: forward().backward(), CPU) >= 5 * MIB


def test_two_works_do_not_add_up() -> None:
    def work() -> torch.Tensor:
        return torch.zeros(FLOATS) + 1

    assert peak_memory(work, CPU) == peak_memory(work, CPU) == 2 * MIB
