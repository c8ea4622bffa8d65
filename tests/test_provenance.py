"""The clock of results: it runs forwards, and on an accelerator only when all that was asked is done."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from obvert import provenance


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in turn; the clock shows how much that was before it was read."""
    seen: list[str] = []

    def read() -> float:
        seen.append("read")
        return float(len(seen))

    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: seen.append(f"synchronised {device}"))
    monkeypatch.setattr(provenance, "time", SimpleNamespace(perf_counter=read))
    return seen


def test_on_a_cpu_the_clock_runs_forwards() -> None:
    read = [provenance.clock(torch.device("cpu")) for _ in range(100)]
    assert read == sorted(read)
    assert 0 < read[-1] - read[0] < 60


def test_a_cpu_has_nothing_to_wait_for(events: list[str]) -> None:
    assert [provenance.clock(torch.device("cpu")) for _ in range(2)] == [1, 2]
    assert events == ["read", "read"]


def test_an_accelerator_is_waited_for_before_the_clock_is_read(events: list[str]) -> None:
    assert [provenance.clock(torch.device("cuda:1")) for _ in range(2)] == [2, 4]
    assert events == ["synchronised cuda:1", "read"] * 2
