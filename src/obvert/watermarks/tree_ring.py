"""Tree-ring watermark: a key in the low frequencies of one channel of the noise.

With F = fftshift(fft2(z)) of the channel, and M a disc around frequency 0 (row H / 2, column W / 2),

    embed:   F[M] = key,  z = Re ifft2(F)
    detect:  p = P(angle between F and key on M as small as this | z is white noise)

The spectrum of real noise is Hermitian, F(-w) = F(w)*: a disc holds half as many numbers as it seems to. `test="exact"`
therefore looks at one of each pair of mirrored frequencies, m real numbers y. Given its length, white noise points
anywhere alike, whatever its scale; the distance |y - k| that the published test looks at is then a function of the angle
alone, and t = cos sqrt((m - 1) / (1 - cos^2)) has Student's distribution with m - 1 degrees of freedom. A key of zeros has
no angle: its p-value is that of the F test, power on the disc against power off it. `test="published"` is the formula of
the paper: real and imaginary parts of all of M are counted, sigma is their deviation,

    eta = sum ((y - k) / sigma)^2,  lambda = sum k^2 / sigma^2,  p = ncx2.cdf(eta, 2 |M|, lambda)

which counts everything twice and takes sigma for known: without a watermark, 2 to 3 % of its values lie below .01 for a
key of the power of noise, fewer or more for weaker or stronger keys. For zeros eta is about 2 |M| whatever the noise, since
sigma is taken from y, and tells nothing.

The released mask has its row axis reversed and lies one row too high: of 64 rows, a disc of radius 6 covers 25 to 37
instead of 26 to 38. Its mirror image covers 27 to 39, so that taking the real part averages every number with the one
mirrored at frequency 0, two rows off in the disc: rings run into each other, and the outer ones into the noise around
them. A key whose neighbouring rings differ much comes out smoother than it went in. With the three keys of the paper on
decoder inversion, the first, (1.2, .6, 1.4, .8, .2, 1.8), then always lies nearer to the second, (1.2, .2, 1.2, 1.4, .6,
1.4), and noise that is recovered perfectly classifies 200 of 300; with a centred mask 300. `mask="published"` is for
pictures made that way. The exact test compares with what is left of the key after the real part is taken, by which 300 of
300 are told apart in these too.

A ring of one value is Hermitian only if that value is real. Keys drawn for a centred mask are; the released code draws
complex ones, of which a centred mask loses the imaginary part, and which are drawn here with the published mask only.

References:
    | Tree-Ring Watermarks: Fingerprints for Diffusion Images that are Invisible and Robust (Wen et al., 2023)
    | https://arxiv.org/abs/2305.20030
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), section 5.3, for the three keys
    | https://arxiv.org/abs/2409.18442
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import torch
from torch import Tensor
from torch.fft import fft2, fftshift, ifft2, ifftshift

from obvert.core import ObvertError, Watermark


@dataclass(frozen=True, kw_only=True)
class TreeRing(Watermark):
    """A key on a disc of low frequencies. Keys are complex vectors (|M|,), the numbers on the disc row by row."""

    pattern: Literal["ring", "random", "zeros"] = "ring"
    """Rings of one value each, which survive rotation; the spectrum of other noise; or nothing at all."""
    radius: int | None = None
    """Of the disc; 10 for latents of 64 and in proportion for others, but not below 3 where that fits."""
    channel: int | None = None
    """Of the latents; 3 for rings and 0 for others, or the last there is."""
    mask: Literal["centred", "published"] = "centred"
    """Where the disc lies: around frequency 0, or a row above it as in the released code."""
    test: Literal["exact", "published"] = "exact"
    """Of the p-value."""

    def key(self, shape: Sequence[int], seed: int) -> Tensor:
        """Draw a key.

        Args:
            shape: (C, H, W) of the latents.
            seed: of normal noise of that shape, drawn on the CPU, from whose spectrum the key is taken. With the published
                mask it is torch's own seed, as in the released code; else a hash of it, so that no picture that is drawn
                from the same seed carries the key by chance.

        Returns:
            (|M|,) complex64.
        """
        channel, radius = self._place(shape)
        own = seed if self.mask == "published" else int.from_bytes(sha256(f"tree-ring {seed}".encode()).digest()[:7])
        noise = torch.randn(tuple(shape), generator=torch.Generator().manual_seed(own))
        spectrum = fftshift(fft2(noise[channel]))
        if self.pattern == "ring":
            values = spectrum[0, 1 : radius + 1]
            return self.rings(shape, values if self.mask == "published" else math.sqrt(2) * values.real)
        return spectrum[self._disc(shape, radius)] * (self.pattern == "random")

    def rings(self, shape: Sequence[int], values: Tensor) -> Tensor:
        """A key of given rings.

        Args:
            shape: (C, H, W) of the latents.
            values: (radius,) of the rings, innermost first; noise has spectral numbers of modulus sqrt(H W).

        Returns:
            (|M|,) complex64.

        Raises:
            ObvertError: for another number of rings than the radius.
        """
        _, radius = self._place(shape)
        if len(values) != radius:
            raise ObvertError(f"need {radius} rings for a radius of {radius}, got {len(values)}")
        plane = torch.zeros(tuple(shape[1:]), dtype=torch.complex64)
        for r in range(radius, 0, -1):
            plane[self._disc(shape, r)] = values[r - 1].to(plane)
        return plane[self._disc(shape, radius)]

    def embed(self, noise: Tensor, key: Tensor) -> Tensor:
        """Put a key into noise.

        Args:
            noise: (B, C, H, W), normal.
            key: as `key` gives it.

        Returns:
            Like noise; one channel differs.
        """
        channel, disc = self._read(noise, key)
        spectrum = fftshift(fft2(noise[:, channel].float()), dim=(-2, -1))
        spectrum[:, disc] = key.to(spectrum)
        marked = noise.clone()
        marked[:, channel] = ifft2(ifftshift(spectrum, dim=(-2, -1))).real.to(noise)
        return marked

    def score(self, noise: Tensor, key: Tensor) -> Tensor:
        """Minus the mean distance of the spectrum from the key on the disc.

        Args:
            noise: (B, C, H, W).
            key: as `key` gives it.

        Returns:
            (B,), at most 0.
        """
        channel, disc = self._read(noise, key)
        seen = fftshift(fft2(noise[:, channel].float()), dim=(-2, -1))[:, disc]
        return -(seen - key.to(seen)).abs().mean(1)

    def p_value(self, noise: Tensor, key: Tensor) -> Tensor:
        """Chance that white noise comes as near to the key.

        Args:
            noise: (B, C, H, W), finite.
            key: as `key` gives it.

        Returns:
            (B,) fp64 on the CPU; NaN where the noise is 0.
        """
        from scipy import stats

        channel, disc = self._read(noise, key)
        noise, key, disc = noise.detach().cpu().double(), key.cpu().to(torch.complex128), disc.cpu()
        spectrum = fftshift(fft2(noise[:, channel]), dim=(-2, -1))
        if self.test == "published":
            y, k = torch.view_as_real(spectrum[:, disc]).flatten(1), torch.view_as_real(key).flatten()
            sigma = y.std(1, keepdim=True)
            eta, nc = ((y - k) / sigma).square().sum(1), (k / sigma).square().sum(1)
            return torch.from_numpy(stats.ncx2.cdf(eta.numpy(), len(k), nc.clamp(min=1e-12).numpy()))
        plane = torch.zeros(disc.shape, dtype=torch.complex128)
        plane[disc] = key
        y, k = _independent(spectrum, disc), _independent((plane + _mirror(plane).conj()) / 2, disc)
        m = y.shape[-1]
        power = y.square().sum(1)
        if not k.any():
            rest = noise.square().flatten(1).sum(1) * disc.numel() - power
            ratio = power / m / (rest / (noise[0].numel() - m))
            return torch.from_numpy(stats.f.cdf(ratio.numpy(), m, noise[0].numel() - m))
        along = (y * k).sum(1) / k.norm()
        across = (y - along[:, None] * k / k.norm()).norm(dim=1)
        return torch.from_numpy(stats.t.sf((math.sqrt(m - 1) * along / across).numpy(), m - 1))

    def _place(self, shape: Sequence[int]) -> tuple[int, int]:
        """Channel and radius for latents of that shape; ObvertError when they do not fit."""
        if len(shape) != 3:
            raise ObvertError(f"need latents (C, H, W) for a tree-ring watermark, got {tuple(shape)}")
        side = min(shape[1:])
        most = (side - 1) // 2 - (self.mask == "published")
        radius = max(round(10 * side / 64), min(3, most)) if self.radius is None else self.radius
        channel = min(3 if self.pattern == "ring" else 0, shape[0] - 1) if self.channel is None else self.channel
        if not (1 <= radius <= most and 0 <= channel < shape[0]):
            raise ObvertError(
                f"need a radius of 1 to {most} and a channel of 0 to {shape[0] - 1} for latents {tuple(shape)}, "
                f"got {radius} and {channel}"
            )
        return channel, radius

    def _disc(self, shape: Sequence[int], radius: int) -> Tensor:
        """(H, W) where the disc of a radius lies."""
        height, width = shape[-2:]
        rows, columns = torch.arange(height), torch.arange(width)
        if self.mask == "published":
            rows = rows.flip(0)
        return (rows[:, None] - height // 2).square() + (columns - width // 2).square() <= radius**2

    def _read(self, noise: Tensor, key: Tensor) -> tuple[int, Tensor]:
        """Channel and disc for noise; ObvertError when the key is not one for it."""
        if noise.ndim != 4:
            raise ObvertError(f"need noise (B, C, H, W), got {tuple(noise.shape)}")
        channel, radius = self._place(noise.shape[1:])
        disc = self._disc(noise.shape, radius).to(noise.device)
        if key.shape != (int(disc.sum()),):
            raise ObvertError(f"need a key of {int(disc.sum())} numbers for noise {tuple(noise.shape)}, got {tuple(key.shape)}")
        return channel, disc


def _mirror(spectrum: Tensor) -> Tensor:
    """(..., H, W) with frequency 0 at (H / 2, W / 2): the number at -w in the place of that at w."""
    rows, columns = ((2 * (n // 2) - torch.arange(n)) % n for n in spectrum.shape[-2:])
    return spectrum[..., rows[:, None], columns]


def _independent(spectrum: Tensor, disc: Tensor) -> Tensor:
    """The numbers that say all about a Hermitian spectrum on a disc: of white noise, independent and of one variance.

    Args:
        spectrum: (..., H, W), Hermitian.
        disc: (H, W) bool, without frequencies of half the sampling rate.

    Returns:
        (..., m) real.
    """
    height, width = disc.shape
    first = torch.arange(height * width).view(height, width) < height // 2 * width + width // 2  # one of each pair
    pairs = spectrum[..., (disc | _mirror(disc)) & first] * math.sqrt(2)
    centre = spectrum[..., height // 2, width // 2].real[..., None]
    return torch.cat((pairs.real, pairs.imag, centre), dim=-1)
