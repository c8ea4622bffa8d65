"""Power spectra of sounds and pictures in bands of one third octave, differentiable.

    P_b = mean over the frequencies f of band b of |F(w (x - m))(f)|^2,    w a Hann window, m the mean under it

Of a picture, f is the length of the frequency vector: the spectrum is averaged over directions, and over channels. Of a
sound, it is the mean over windows that overlap by half (Welch's method).

References:
    | The use of fast Fourier transform for the estimation of power spectra (Welch, 1967)
    | https://doi.org/10.1109/TAU.1967.1161901
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from obvert.core import ObvertError

LOWEST = 2.0
"""Periods in the shorter side below which a windowed frequency cannot be told from the mean."""
PER_OCTAVE = 3
"""Bands."""
WINDOW = 1024
"""Samples of a sound's windows; shorter sounds are one window."""


def bands(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean power in each band.

    Args:
        x: (B, 1, S) sounds or (B, C, H, W) pictures, 16 samples or more along each side.

    Returns:
        (F,) the bands' frequencies in cycles a sample or pixel, rising, none above 0.5, and (B, F) the mean power of a
        coefficient in each, scaled so that white noise has its variance everywhere.

    Raises:
        ObvertError: for other shapes.
    """
    if not (x.ndim == 4 or (x.ndim == 3 and x.shape[1] == 1)) or min(x.shape[2:]) < 16:
        raise ObvertError(f"need sounds (B, 1, S) or pictures (B, C, H, W) of 16 samples or more a side, got {tuple(x.shape)}")
    if x.ndim == 3:
        size = min(WINDOW, x.shape[-1])
        x = x[:, 0].unfold(-1, size, size // 2)
    sides = tuple(range(2, x.ndim))
    window = torch.ones((), device=x.device, dtype=x.dtype)
    for side in sides:
        window = window[..., None] * torch.hann_window(x.shape[side], device=x.device, dtype=x.dtype)
    mean = (window * x).sum(sides, keepdim=True) / window.sum()
    seen = torch.fft.rfftn(window * (x - mean), dim=sides)
    power = (seen.real.square() + seen.imag.square()).mean(1).flatten(1) / window.square().sum()
    frequency, member = (table.to(x) for table in _members(tuple(x.shape[2:])))
    return frequency, power @ member


def slope(frequency: Tensor, power: Tensor, floor: float = 1e-20) -> tuple[Tensor, Tensor]:
    """The straight line through log power over log frequency, by least squares: power = c f^slope.

    Args:
        frequency: (F,) of the bands.
        power: (B, F) in them.
        floor: least power that is told from none.

    Returns:
        (B,) slopes, and (B, F) what the line leaves of the log power, in nats.
    """
    along = frequency.log() - frequency.log().mean()
    level = power.clamp(min=floor).log()
    level = level - level.mean(1, keepdim=True)
    found = level @ along / along.square().sum()
    return found, level - found[:, None] * along


@lru_cache(maxsize=8)
def _members(sides: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """(F,) frequency of each band, its members' geometric mean, and (K, F) the weight of each coefficient of half a spectrum."""
    axes = [torch.fft.fftfreq(n, dtype=torch.float64) for n in sides[:-1]]
    grids = torch.meshgrid(*axes, torch.fft.rfftfreq(sides[-1], dtype=torch.float64), indexing="ij")
    length = torch.stack(grids).square().sum(0).sqrt().flatten()
    times = torch.full_like(grids[-1], 2.0)  # what the other half has counts too
    times[..., 0] = 1
    if sides[-1] % 2 == 0:
        times[..., -1] = 1
    inside = (length >= LOWEST / min(sides) - 1e-9) & (length <= 0.5 + 1e-9)
    below = (PER_OCTAVE * torch.log2(0.5 / length.clamp(min=1e-9)) - 1e-6).floor().clamp(min=0)
    numbers = below[inside].unique().flip(0)
    member = ((below[:, None] == numbers) & inside[:, None]) * times.flatten()[:, None]
    member = member / member.sum(0)
    return (length.clamp(min=1e-9).log() @ member).exp(), member
