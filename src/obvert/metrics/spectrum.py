"""How fast the spectrum of a sound or a picture falls: natural ones are far from white, most inverted ones are not.

    log P(f) = c + a log f

White noise has a = 0, pink noise -1, photographs about -2.3, read speech about -1.9 above 200 Hz. Ten times log10(2) a is
decibels an octave.

References:
    | Relations between the statistics of natural images and the response properties of cortical cells (Field, 1987)
    | https://doi.org/10.1364/JOSAA.4.002379
"""

from __future__ import annotations

import math

from torch import Tensor

from obvert.spectra import bands, slope


def spectrum_slope(x: Tensor, *, within: tuple[float, float] = (0.0, 0.5)) -> Tensor:
    """Exponent of the power spectrum, fitted to bands of one third octave that all weigh the same.

    Args:
        x: (B, 1, S) sounds or (B, C, H, W) pictures.
        within: lowest and highest frequency, in cycles a sample or pixel; (200 / rate, 0.5) leaves out what lies below
            200 Hz. From two periods in the shorter side, or in 1024 samples of a sound, in any case.

    Returns:
        (B,) float64; NaN for what is constant.

    Raises:
        ValueError: for fewer than three bands; for other shapes, an ObvertError.
    """
    frequency, power = bands(x.detach().double())
    taken = (frequency >= within[0]) & (frequency <= within[1])
    if taken.sum() < 3:
        raise ValueError(f"need three bands or more within {within}, got {int(taken.sum())} of {len(frequency)}")
    found, _ = slope(frequency[taken], power[:, taken])
    return found.masked_fill(power[:, taken].sum(1) < 1e-20, math.nan)


def decibels_per_octave(exponent: Tensor) -> Tensor:
    """A slope of power as decibels an octave."""
    return 10 * math.log10(2) * exponent
