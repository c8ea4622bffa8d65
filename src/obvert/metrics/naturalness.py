"""How far inputs that were found lie from real ones, in features of a model that had no part in finding them.

    Frechet distance = |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)),    S <- (1 - shrinkage) S + shrinkage tr(S) / d I
    neighbour ratio  = distance to the k-th nearest real / its median among the real, each without itself

The first compares two sets, the second says it of each input: 1 is as near as real ones are, 2 twice as far. Means and
covariances of few samples differ by chance, so that the Frechet distance of n real inputs to the others is not 0: it is biased
upwards, the more the fewer there are. `frechet_control` says by how much for as many; shrinkage steadies what is left.

References:
    | GANs Trained by a Two Time-Scale Update Rule (Heusel et al., 2017), https://arxiv.org/abs/1706.08500
    | Improved Precision and Recall Metric for Assessing Generative Models (Kynkaanniemi et al., 2019)
    | https://arxiv.org/abs/1904.06991
"""

from __future__ import annotations

import torch
from torch import Tensor


def frechet_distance(found: Tensor, real: Tensor, *, shrinkage: float = 0.1) -> float:
    """Frechet distance of two normal distributions fitted to features.

    Args:
        found: (N, d), N >= 2.
        real: (M, d), M >= 2.
        shrinkage: share of each covariance that is taken for that of equal, independent coordinates, in [0, 1]; 0 is as
            published, which needs many times d samples.

    Returns:
        0 or more, in squared units of the features.

    Raises:
        ValueError: for shapes that do not fit, features that are not finite, or a shrinkage outside [0, 1].
    """
    found, real = _checked(found, real, (2, 2))
    if not 0 <= shrinkage <= 1:
        raise ValueError(f"need a shrinkage within [0, 1], got {shrinkage}")
    moments = []
    for x in (found, real):
        covariance = torch.atleast_2d(x.T.cov())
        spread = covariance.diagonal().mean() * torch.eye(len(covariance), dtype=x.dtype)
        moments.append((x.mean(0), torch.lerp(covariance, spread, shrinkage)))
    (mean, one), (other_mean, other) = moments
    root = _root(one)
    overlap = torch.linalg.eigvalsh(root @ other @ root).clamp(min=0).sqrt().sum()
    distance = (mean - other_mean).square().sum() + one.trace() + other.trace() - 2 * overlap
    return max(0.0, distance.item())


def frechet_control(
    real: Tensor, count: int, *, shrinkage: float = 0.1, seed: int = 0, draws: int = 20, level: float = 0.95
) -> tuple[float, float, float]:
    """Frechet distance of so many real inputs to the other real ones: what a distance of so many is to be read against.

    Args:
        real: (M, d).
        count: how many are taken as if they were found, from 2 to M - 2.
        shrinkage: as in `frechet_distance`.
        seed: of the draws.
        draws: how often they are taken.
        level: share of the draws inside the interval, in (0, 1).

    Returns:
        Mean, lower end, upper end.

    Raises:
        ValueError: for a count that leaves too few, draws below 1, or what `frechet_distance` refuses.
    """
    if not 2 <= count <= len(real) - 2 or draws < 1 or not 0 < level < 1:
        raise ValueError(f"need 2 <= count <= {len(real) - 2}, draws >= 1, 0 < level < 1, got {count}, {draws}, {level}")
    rng, values = torch.Generator().manual_seed(seed), []
    for _ in range(draws):
        order = torch.randperm(len(real), generator=rng)
        values.append(frechet_distance(real[order[:count]], real[order[count:]], shrinkage=shrinkage))
    found = torch.tensor(values, dtype=torch.float64)
    low, high = found.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)).tolist()
    return found.mean().item(), low, high


def neighbour_ratio(found: Tensor, real: Tensor, *, k: int = 1, chunk: int = 512, standardised: bool = False) -> Tensor:
    """Euclidean distance of each found input to its k-th nearest real one, over what is usual among the real.

    Args:
        found: (N, d).
        real: (M, d), M > k.
        k: which neighbour; 1 is the nearest.
        chunk: rows compared at once; changes memory, never the result.
        standardised: count each coordinate in its deviation among the real, for features of different units; of those that
            hardly vary there, in a thousandth of the usual deviation.

    Returns:
        (N,) float64, 0 or more: of real inputs the median is 1; NaN where the real are all one.

    Raises:
        ValueError: for shapes that do not fit, features that are not finite, k or chunk below 1.
    """
    if k < 1 or chunk < 1:
        raise ValueError(f"need k >= 1 and chunk >= 1, got {k} and {chunk}")
    found, real = _checked(found, real, (1, k + 1))
    if standardised:
        spread = real.std(0)
        spread = spread.clamp(min=spread.median().item() / 1000).masked_fill(spread.median() == 0, 1.0)
        found, real = found / spread, real / spread
    usual = _nearest(real, real, k + 1, chunk).median()  # the nearest to a real one is itself
    return _nearest(found, real, k, chunk) / usual.masked_fill(usual == 0, torch.nan)


def _nearest(queries: Tensor, real: Tensor, k: int, chunk: int) -> Tensor:
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cat([torch.cdist(q, real, compute_mode=exact).kthvalue(k, dim=1).values for q in queries.split(chunk)])


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def _checked(found: Tensor, real: Tensor, least: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Both in float64 on the CPU."""
    if found.ndim != 2 or real.ndim != 2 or found.shape[1] != real.shape[1] or len(found) < least[0] or len(real) < least[1]:
        got = f"{tuple(found.shape)} and {tuple(real.shape)}"
        raise ValueError(f"need features (N, d) and (M, d), N >= {least[0]} and M >= {least[1]}, got {got}")
    found, real = (x.detach().cpu().double() for x in (found, real))
    if not (found.isfinite().all() and real.isfinite().all()):
        raise ValueError("need finite features, got some with NaN or infinity")
    return found, real
