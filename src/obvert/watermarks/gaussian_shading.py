"""Gaussian Shading: a message in the signs of the noise, which stays normal noise to whoever has no key.

A message of (C / f_c) (H / f_h) (W / f_w) bits is repeated f_c f_h f_w times over the latents and encrypted: every
copy of a bit is xored with another bit of a secret stream, so that the bits y are fair and independent. Each number is
then drawn from the half of the normal distribution that its bit names,

    z = Phi^-1((u + y) / 2),    u uniform in (0, 1)

Given normal noise n, u = 1 - 2 Phi(-|n|) for y = 1 and its complement for y = 0: z is |n| with the sign of y, and the
uniform number need not be drawn. To detect, signs are decrypted and the copies of each bit vote, a tie being a no; of
noise without the key each bit of the message is right with the same chance q, just below one half, so that the number of
right ones is binomial and the p-value exact.

The paper's stream cipher is ChaCha20; the stream here is SHAKE-256 of the seed, which needs no other package and serves
the same end: without the seed the bits are not told from fair ones. The seed is all the secret there is, so let it be a
large random number where someone has reason to guess it. One picture is not told from others; pictures of one key share
their signs, which shows to who can invert many of them: give each user, or each picture, a key of its own.

References:
    | Gaussian Shading: Provable Performance-Lossless Image Watermarking for Diffusion Models (Yang et al., 2024)
    | https://arxiv.org/abs/2404.04956
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core import ObvertError, Watermark


@dataclass(frozen=True, kw_only=True)
class GaussianShading(Watermark):
    """A message in the signs. Keys are uint8 tensors (C, H, W) of 0 and 1: the encrypted copies of the message."""

    copies_channel: int = 1
    """f_c: channels that share a bit."""
    copies_height: int | None = None
    """f_h: rows that share a bit; H / 8 by default, at least 1, which is 8 for latents of 64."""
    copies_width: int | None = None
    """f_w: columns that share a bit; W / 8 by default, at least 1."""

    def key(self, shape: Sequence[int], seed: int) -> Tensor:
        """The signs that carry the seed's message.

        Args:
            shape: (C, H, W) of the latents.
            seed: of message and stream.

        Returns:
            (C, H, W) uint8, 1 for a positive number.
        """
        return self.write(shape, seed, self.message(shape, seed))

    def message(self, shape: Sequence[int], seed: int) -> Tensor:
        """The message of a seed, (C / f_c, H / f_h, W / f_w) uint8 bits, for latents (C, H, W)."""
        sizes = [n // f for n, f in zip(shape, self._copies(shape), strict=True)]
        return _bits(f"message {seed}", math.prod(sizes)).view(sizes)

    def write(self, shape: Sequence[int], seed: int, message: Tensor) -> Tensor:
        """The signs that carry a message of one's own.

        Args:
            shape: (C, H, W) of the latents.
            seed: of the stream.
            message: (C / f_c, H / f_h, W / f_w) bits.

        Returns:
            (C, H, W) uint8.

        Raises:
            ObvertError: for a message of another size.
        """
        copies = self._copies(shape)
        if [m * f for m, f in zip(message.shape, copies, strict=False)] != list(shape):
            wanted = tuple(n // f for n, f in zip(shape, copies, strict=True))
            raise ObvertError(f"need a message of bits {wanted} for latents {tuple(shape)}, got {tuple(message.shape)}")
        spread = message.to(torch.uint8)
        for axis, f in enumerate(copies):
            spread = spread.repeat_interleave(f, axis)
        return spread ^ _bits(f"stream {seed}", math.prod(shape)).view(tuple(shape))

    def read(self, noise: Tensor, seed: int) -> Tensor:
        """The message in noise, by the vote of its copies.

        Args:
            noise: (B, C, H, W).
            seed: of the stream.

        Returns:
            (B, C / f_c, H / f_h, W / f_w) uint8 bits; 0 where copies tie.
        """
        stream = _bits(f"stream {seed}", math.prod(noise.shape[1:])).view(noise.shape[1:])
        return self._vote(noise, stream).to(torch.uint8)

    def embed(self, noise: Tensor, key: Tensor) -> Tensor:
        """Give noise the signs of a key; its size stays, and so its distribution.

        Args:
            noise: (B, C, H, W), normal.
            key: as `key` gives it.

        Returns:
            Like noise.
        """
        self._check(noise, key)
        return noise.abs() * (2 * key.to(noise) - 1)

    def score(self, noise: Tensor, key: Tensor) -> Tensor:
        """Share of the message's bits that are right.

        Args:
            noise: (B, C, H, W).
            key: as `key` gives it.

        Returns:
            (B,) in [0, 1].
        """
        return self._vote(noise, 1 - key).flatten(1).float().mean(1)  # with 1 - key, a copy is 1 where its sign is right

    def p_value(self, noise: Tensor, key: Tensor) -> Tensor:
        """Chance that noise without the key has as many bits right.

        Args:
            noise: (B, C, H, W).
            key: as `key` gives it.

        Returns:
            (B,) fp64 on the CPU; there are as many p-values as bits and one, so it is at least as rare as it says.
        """
        from scipy import stats

        right = self._vote(noise, 1 - key).flatten(1).cpu()
        votes = math.prod(self._copies(noise.shape[1:]))
        chance = stats.binom.sf(votes // 2, votes, 0.5)
        return torch.from_numpy(stats.binom.sf(right.sum(1).numpy() - 1, right.shape[1], chance))

    def _vote(self, noise: Tensor, stream: Tensor) -> Tensor:
        """(B, C / f_c, H / f_h, W / f_w) bool: whether most copies of a bit, xored with the stream, are 1."""
        self._check(noise, stream)
        bits = ((noise > 0) ^ (stream > 0).to(noise.device)).float()
        copies = self._copies(noise.shape[1:])
        for axis, f in enumerate(copies, 1):
            bits = bits.unflatten(axis, (-1, f)).sum(axis + 1)
        return bits > math.prod(copies) / 2

    def _copies(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """f_c, f_h, f_w for latents of that shape; ObvertError when they do not divide it."""
        if len(shape) != 3:
            raise ObvertError(f"need latents (C, H, W) for Gaussian shading, got {tuple(shape)}")
        height, width = (max(1, n // 8) for n in shape[1:])
        copies = (self.copies_channel, self.copies_height or height, self.copies_width or width)
        if any(f < 1 or n % f for n, f in zip(shape, copies, strict=True)):
            raise ObvertError(f"need copies that divide latents {tuple(shape)}, got {copies}")
        return copies

    def _check(self, noise: Tensor, key: Tensor) -> None:
        if noise.ndim != 4 or key.shape != noise.shape[1:]:
            raise ObvertError(f"need noise (B, C, H, W) and a key (C, H, W), got {tuple(noise.shape)} and {tuple(key.shape)}")


def _bits(secret: str, count: int) -> Tensor:
    """(count,) uint8 bits of SHAKE-256 of a secret."""
    stream = torch.tensor(list(hashlib.shake_256(f"obvert {secret}".encode()).digest(-(-count // 8))), dtype=torch.uint8)
    return (stream[:, None] >> torch.arange(8, dtype=torch.uint8) & 1).flatten()[:count]
