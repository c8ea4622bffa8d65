"""Sounds against recordings, with and without the packages that judge them."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest
import torch

from obvert.media import read
from obvert.models import load_reader
from obvert.tasks._inverted import quality
from obvert.tasks._judges import recordings

HAS_PESQ = find_spec("pesq") is not None


@pytest.fixture(scope="module")
def phrase() -> torch.Tensor:
    return read(recordings()[0], load_reader("zoo/speech-recogniser")).data[None]


@pytest.mark.skipif(not HAS_PESQ, reason="the extra `audio` is not installed (pesq needs a C compiler)")
def test_a_recording_lies_above_its_ceiling_and_noise_at_the_floor(phrase: torch.Tensor) -> None:
    noise = 0.1 * torch.randn(phrase.shape, generator=torch.Generator().manual_seed(0))
    (same,), (far,) = (quality(phrase, found, 16_000, bounds=True) for found in (phrase, noise))
    for name in ("pesq", "stoi"):
        assert far[name] - 0.1 < far[f"{name}_floor"] < far[f"{name}_ceiling"] < same[name]
        assert same[f"{name}_ceiling"] == far[f"{name}_ceiling"]
    assert same["log_mel_db"] < 1 < far["log_mel_db"]


def test_another_length_is_compared_over_the_shorter(phrase: torch.Tensor) -> None:
    longer = torch.nn.functional.pad(phrase, (0, 8000))
    assert quality(longer, phrase, 16_000) == quality(phrase, longer, 16_000) == quality(phrase, phrase, 16_000)


def test_without_the_extra_the_log_mel_is_left(phrase: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.warns(UserWarning, match=r"by their log-mel alone: need the package pesq.*pip install 'obvert\[audio\]'"):
        (found,) = quality(phrase, phrase, 16_000, bounds=True)
    assert found["pesq"] is found["stoi"] is None
    assert found["log_mel_db"] < 1
