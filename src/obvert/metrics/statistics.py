"""What media look or sound like in numbers that no network gives, so that none can be misled by them.

    pictures   mean and deviation of each colour; of each octave of detail the power, and how sparse it is
    sounds     mean and deviation of each mel band over time, and how much it changes from frame to frame

Noise differs from natural media in all of them: its power does not fall with the octave, and its detail is not sparse.

References:
    | Relations between the statistics of natural images and the response properties of cortical cells (Field, 1987)
    | https://doi.org/10.1364/JOSAA.4.002379
    | Sound texture perception via statistics of the auditory periphery (McDermott and Simoncelli, 2011)
    | https://doi.org/10.1016/j.neuron.2011.06.032
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from obvert.metrics.mel import LogMel

LEAST = 1e-6
"""Power that counts as none, about that of rounding to 8 bits."""
QUIET = 1e-3
"""Share of a sound's peak below which its ends count as silence."""


def picture_statistics(pictures: Tensor, *, octaves: int = 4) -> Tensor:
    """Statistics of pictures.

    Args:
        pictures: (B, 3, H, W) in [0, 1], sides of 2^octaves or more.
        octaves: of detail, from the finest.

    Returns:
        (B, 6 + 6 octaves): means, deviations, then of each octave and colour log10 of its power and of E x^2 / (E |x|)^2.

    Raises:
        ValueError: for other shapes, or sides that are too short.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3 or min(pictures.shape[2:]) < 2**octaves:
        raise ValueError(f"need pictures (B, 3, H, W) with sides of {2**octaves} or more, got {tuple(pictures.shape)}")
    x = pictures.detach().cpu().double()
    found = [x.mean((2, 3)), x.std((2, 3))]
    for _ in range(octaves):
        coarse = avg_pool2d(x, 2, ceil_mode=True)
        detail = x - interpolate(coarse, x.shape[2:], mode="bilinear", align_corners=False)
        power, size = detail.square().mean((2, 3)) + LEAST, detail.abs().mean((2, 3)).square() + LEAST
        found += [power.log10(), (power / size).log10()]
        x = coarse
    return torch.cat(found, 1)


def sound_statistics(sounds: Sequence[Tensor], rate: int, *, bands: int = 24) -> Tensor:
    """Statistics of sounds, however loud they are and whatever silence is before and after them.

    Args:
        sounds: (1, S) each, of any lengths.
        rate: samples a second.
        bands: mel bands.

    Returns:
        (B, 3 bands): means, deviations and mean changes between frames, of log-mel spectrograms.
    """
    ear = LogMel(rate=rate, bins=bands, window=rate // 20 // 4 * 4, hop=rate // 80)
    found = []
    for sound in sounds:
        mel = ear(ear.padded(_heard(sound.detach().cpu().float())[None]))[0].double()
        mel = torch.cat((mel, mel[:, -1:]), 1) - mel.amax()  # at the end, so that one frame has a change, of none
        found.append(torch.cat((mel.mean(1), mel.std(1), mel.diff(dim=1).abs().mean(1))))
    return torch.stack(found)


def _heard(sound: Tensor) -> Tensor:
    """(1, S) from the first to the last sample that can be heard; one of silence is left as it is."""
    loud = (sound[0].abs() > QUIET * sound.abs().max()).nonzero().flatten()
    return sound[:, int(loud[0]) : int(loud[-1]) + 1] if len(loud) else sound
