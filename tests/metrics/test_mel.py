"""Log-mels as Whisper's extractor makes them, and back to a sound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from obvert.metrics import LogMel, mel_consistency


def tones(samples: int = 8000) -> Tensor:
    """(2, 1, S) chirps that fade in and out."""
    t = torch.arange(samples) / 16_000
    return (
        torch.stack([torch.sin(2 * torch.pi * (f * t + 800 * t**2)) * torch.sin(torch.pi * t * 2) ** 2 for f in (200, 900)])[
            :, None
        ]
        / 2
    )


@pytest.mark.parametrize("bins", [80, 128])
def test_equal_to_whispers_own(bins: int) -> None:
    from transformers import WhisperFeatureExtractor

    sound = torch.nn.functional.pad(tones(), (0, 472_000))
    given = WhisperFeatureExtractor(feature_size=bins)(sound[0, 0].numpy(), sampling_rate=16_000, return_tensors="np")
    found = LogMel(bins=bins)(sound[:1])
    assert found.shape == (1, bins, 3000)
    np.testing.assert_allclose(found[0].numpy(), given["input_features"][0], atol=1e-6)


def test_a_sound_comes_back() -> None:
    front, sound = LogMel(), tones()
    mel = front(sound)
    back = front.sound(mel)
    assert back.shape == sound.shape
    torch.testing.assert_close(front.sound(mel[1:], steps=5), front.sound(mel, steps=5)[1:], rtol=1e-3, atol=1e-4)
    assert (mel_consistency(mel, front, front.sound) < 0.05).all()
    noise = torch.randn(1, 80, 50, generator=torch.Generator().manual_seed(0))
    assert (mel_consistency(noise, front, front.sound) > 1).all()  # nearly no spectrogram is that of a sound
    assert (mel_consistency(2 * noise, front, front.sound) > 2).all()  # far out, and still a number
    plain = front(front.sound(mel, steps=10, momentum=0, fit=0))
    assert (plain - mel).abs().mean() > (front(back) - mel).abs().mean()


def test_sizes_and_padding() -> None:
    front = LogMel()
    assert front.padded(torch.ones(1, 1, 161)).shape[-1] == 480
    assert front.padded(torch.ones(1, 1, 1601)).shape[-1] == 1760
    assert front.vocoded(tones(1601)).shape == (2, 1, 1601)


def test_the_gradient_reaches_the_sound() -> None:
    sound = tones(1600).requires_grad_()
    (grad,) = torch.autograd.grad(LogMel()(sound).square().sum(), sound)
    assert grad.isfinite().all()
    assert grad.abs().amax((1, 2)).gt(0).all()
