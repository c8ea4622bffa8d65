"""Statistics of media whose statistics are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from obvert.metrics import neighbour_ratio, picture_statistics, sound_statistics
from obvert.metrics.statistics import LEAST
from obvert.tasks._judges import real_scenes

RATE = 16_000


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_of_a_flat_picture_only_the_colour_is_told() -> None:
    (found,) = picture_statistics(torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 32, 32))
    assert found[:3].tolist() == pytest.approx([0.2, 0.5, 0.9])
    assert found[3:6].abs().max() < 1e-6
    octaves = found[6:].view(4, 2, 3)
    assert (octaves[:, 0] - math.log10(LEAST)).abs().max() < 1e-6
    assert octaves[:, 1].abs().max() < 1e-6


def test_of_white_noise() -> None:
    noise = 0.5 + 0.1 * normal(4, 3, 128, 128)
    found = picture_statistics(noise)
    octaves = found[:, 6:].view(4, 4, 2, 3)
    assert (found[:, 3:6] - 0.1).abs().max() < 0.01
    falls = (octaves[:, :-1, 0] - octaves[:, 1:, 0]).mean((0, 2))
    assert falls.tolist() == pytest.approx([math.log10(4)] * 3, abs=0.1)  # a mean of four has a quarter of the power
    assert octaves[:, :, 1].mean().item() == pytest.approx(math.log10(math.pi / 2), abs=0.02)  # that of a normal law


def test_edges_are_sparse() -> None:
    edge = torch.zeros(1, 3, 64, 64)
    edge[..., 33:] = 1
    assert picture_statistics(edge)[0, 9:12].min() > 3 * math.log10(math.pi / 2)


def test_noise_is_far_from_scenes_and_scenes_are_not() -> None:
    scenes = torch.stack(real_scenes(96))
    real, others = picture_statistics(scenes[:64]), picture_statistics(scenes[64:])
    noise = picture_statistics(torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    usual = neighbour_ratio(others, real, standardised=True)
    assert usual.median() == pytest.approx(1, abs=0.3)
    assert neighbour_ratio(noise, real, standardised=True).min() > max(2.0, usual.quantile(0.95))


def test_silence_around_a_sound_does_not_matter_nor_does_a_batch() -> None:
    tone = torch.sin(2 * math.pi * 440 * torch.arange(RATE) / RATE)[None] * 0.3
    silence = torch.zeros(1, 5000)
    alone = sound_statistics([tone], RATE)
    both = sound_statistics([normal(1, 8000) * 0.1, torch.cat((silence, tone, silence), 1)], RATE)
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=0.02)
    assert alone.shape == (1, 3 * 24)
    assert sound_statistics([silence, tone[:, :1]], RATE).isfinite().all()


def test_a_steady_sound_does_not_change_and_an_interrupted_one_does() -> None:
    noise = normal(1, RATE) * 0.1
    broken = noise * (torch.arange(RATE) // 1600 % 2)
    steady, often = sound_statistics([noise, broken], RATE).view(2, 3, -1).mean(2)
    assert often[1] > 2 * steady[1]
    loud, quiet = sound_statistics([noise, 0.01 * noise], RATE).view(2, 3, -1)
    torch.testing.assert_close(loud, quiet, rtol=0, atol=1e-3)


@pytest.mark.parametrize("wrong", [torch.zeros(3, 64, 64), torch.zeros(1, 1, 64, 64), torch.zeros(1, 3, 8, 64)])
def test_other_shapes_are_refused(wrong: Tensor) -> None:
    with pytest.raises(ValueError, match="need pictures"):
        picture_statistics(wrong)
