"""InfoNCE: the loss, its limit for large batches, and the least it can be where a batch holds things twice.

    L_N          = E [ (log sum_j e^{<F_i,G_j>/tau} + log sum_j e^{<F_j,G_i>/tau}) / 2 - <F_i,G_i>/tau ]
    L_N - log N -> -E<F,G>/tau + 1/2 E log E e^{<F,G'>/tau} + 1/2 E log E e^{<F',G>/tau}
    floor(N)     = E log(1 + n),  n how many of the other N - 1 pairs of the batch cannot be told from this one

An encoder that takes more pairs for the same has a higher floor: Delta L(N) = E log[(1 + n_bag) / (1 + n_seq)].

References:
    | Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere
    | (Wang and Isola, 2020), https://arxiv.org/abs/2005.10242
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from obvert.core import ObvertError


def info_nce(image: Tensor, text: Tensor, temperature: float) -> Tensor:
    """The symmetric contrastive loss of a batch of pairs.

    Args:
        image: (..., N, d) features.
        text: (..., N, d) features, row by row of the same pairs.
        temperature: tau, what inner products are divided by.

    Returns:
        (...) the loss of each batch, in nats.
    """
    logits = image @ text.mT / temperature
    return (logits.logsumexp(-2) + logits.logsumexp(-1)).mean(-1) / 2 - logits.diagonal(dim1=-2, dim2=-1).mean(-1)


def limit(image: Tensor, text: Tensor, temperature: float) -> Tensor:
    """What the loss less log N comes to in large batches, from a sample.

    Args:
        image: (M, d) features, M >= 2.
        text: (M, d) features, row by row of the same pairs; others of the sample stand for F' and G'.
        temperature: tau.

    Returns:
        The limit in nats, a scalar.

    Raises:
        ObvertError: for fewer than two pairs.
    """
    if len(image) < 2:
        raise ObvertError(f"need two pairs or more, got {len(image)}")
    logits = image @ text.T / temperature
    others = logits.masked_fill(torch.eye(len(logits), dtype=torch.bool), -torch.inf)
    spread = (others.logsumexp(0) + others.logsumexp(1)).mean() / 2
    return spread - torch.tensor(len(logits) - 1.0).log() - logits.diagonal().mean()


def floor(shares: Tensor, batch: int) -> float:
    """The least InfoNCE of an encoder that tells classes apart, and nothing within a class.

    Args:
        shares: (C,) of the classes in the data, all positive or 0, 1 in all.
        batch: N, pairs drawn independently.

    Returns:
        E log(1 + n) in nats, n ~ Binomial(N - 1, share of the class).

    Raises:
        ObvertError: for shares that are none, or no pair.
    """
    p = shares.double()
    if batch < 1 or bool((p < 0).any()) or abs(float(p.sum()) - 1) > 1e-6:
        raise ObvertError(f"need shares of 0 or more that sum to 1 and a pair or more, got a sum of {p.sum():.6f} and {batch}")
    p = p[p > 0, None].clamp(max=1)
    n = torch.arange(batch, dtype=torch.float64)
    ways = torch.tensor(batch, dtype=torch.float64).lgamma() - (n + 1).lgamma() - (batch - n).lgamma()
    log_chance = ways + torch.xlogy(n, p) + torch.special.xlog1py(batch - 1 - n, -p)
    return float((p * log_chance.exp() * (1 + n).log()).sum())


def gaussian_limit(size: int, correlation: float, temperature: float) -> float:
    """The limit of InfoNCE less log N for standard normal F and G whose coordinates correlate in pairs.

    Args:
        size: d, numbers of a feature.
        correlation: of a coordinate of F with the same of G.
        temperature: tau.

    Returns:
        d / (2 tau^2) - d correlation / tau, in nats.
    """
    return size / (2 * temperature**2) - size * correlation / temperature


def gaussians(shape: tuple[int, ...], size: int, correlation: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw (*shape, d) such features F and G in float64."""
    one, other = torch.randn(2, *shape, size, generator=generator, dtype=torch.float64)
    return one, correlation * one + (1 - correlation**2) ** 0.5 * other
