"""How often what is right is scored above what is wrong, ties told apart from hits.

A tie is neither won nor lost: it counts what breaking it at random wins on the mean. With h the lowest of what must lie
above, l the highest of what must lie below, and a, b how many of each lie at a tie h = l,

    credit = 1 where h > l,  0 where h < l,  a! b! / (a + b)! where h = l:  1/2 for one against one, 1/k of k options

Winoground's scores follow from it, of s_ij, picture i with text j, each text's own picture on the diagonal:

    text  = [s_11 > s_12] [s_22 > s_21]    image = [s_11 > s_21] [s_22 > s_12]    group: both diagonals above all others

All scores alike thus give chance: 1/4, 1/4, 1/6. The interaction I = s_11 + s_22 - s_12 - s_21 = <F_1 - F_2, T_1 - T_2> is not
changed by anything that is added to all pictures or to all texts, a constant gap between the modalities included.

References:
    | Winoground: Probing Vision and Language Models for Visio-Linguistic Compositionality (Thrush et al., 2022)
    | https://arxiv.org/abs/2204.03162
    | SugarCrepe++ Dataset (Dumpala et al., 2024), https://arxiv.org/abs/2406.11171
    | Probable inference, the law of succession, and statistical inference (Wilson, 1927)
    | Construction of confidence limits about effect measures (Zou and Donner, 2008), https://doi.org/10.1002/sim.3095
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

LEVEL = 0.95
"""Coverage of the intervals."""


def above(high: Tensor, low: Tensor, tolerance: float = 0.0) -> Tensor:
    """What each item counts: whether all that should be high lies above all that should be low.

    Args:
        high: (N, a) scores of what is right.
        low: (N, b) scores of what is wrong.
        tolerance: scores that differ by no more are tied; 1e-6 is what the order of a sum leaves in fp32 cosines.

    Returns:
        (N,) float64 in [0, 1]; fractions are ties, as the module says.

    Raises:
        ValueError: shapes that do not fit, nothing on one side, scores that are not finite, or a negative tolerance.
    """
    if high.ndim != 2 or low.ndim != 2 or len(high) != len(low) or not high.shape[1] or not low.shape[1]:
        raise ValueError(f"need scores (N, a) and (N, b), got {tuple(high.shape)} and {tuple(low.shape)}")
    if not (high.isfinite().all() and low.isfinite().all() and tolerance >= 0):
        raise ValueError(f"need finite scores and a tolerance of 0 or more, got a tolerance of {tolerance:g}")
    high, low = high.double(), low.double()
    least, most = high.amin(1, keepdim=True), low.amax(1, keepdim=True)
    a, b = ((scores - edge).abs().le(tolerance).sum(1).double() for scores, edge in ((high, least), (low, most)))
    shared = (torch.lgamma(a + 1) + torch.lgamma(b + 1) - torch.lgamma(a + b + 1)).exp()
    gap = (least - most)[:, 0]
    return torch.where(gap.abs() <= tolerance, shared, (gap > 0).double())


def chosen(scores: Sequence[Tensor], right: Sequence[tuple[tuple[int, ...], ...]], tolerance: float = 0.0) -> Tensor:
    """What items of any shape count: whether each of their pictures has all its right texts above all others.

    Args:
        scores: of each of N items (P, T), its pictures by its texts.
        right: of each item, for each picture the texts that are right.
        tolerance: as in `above`.

    Returns:
        (N,) float64 in [0, 1]; of crossed items it is the text score.

    Raises:
        ValueError: scores that do not fit what is right, or what `above` refuses.
    """
    alike: dict[tuple[torch.Size, tuple[tuple[int, ...], ...]], list[int]] = {}
    for row, (one, told) in enumerate(zip(scores, right, strict=True)):
        if one.ndim != 2 or len(one) != len(told):
            raise ValueError(f"need scores (P, T) with {len(told)} pictures at {row}, got {tuple(one.shape)}")
        alike.setdefault((one.shape, told), []).append(row)
    found = torch.ones(len(scores), dtype=torch.float64)
    for (shape, told), rows in alike.items():
        stack = torch.stack([scores[row] for row in rows])
        for picture, high in enumerate(told):
            low = [i for i in range(shape[1]) if i not in high]
            found[rows] *= above(stack[:, picture, list(high)], stack[:, picture, low], tolerance)
    return found


@dataclass(frozen=True, kw_only=True)
class TwoByTwo:
    """Two pictures with two texts, each (N,) float64."""

    text: Tensor
    """Of each picture the right text is chosen, in [0, 1]."""
    image: Tensor
    """Of each text the right picture is chosen."""
    group: Tensor
    """Both."""
    interaction: Tensor
    """I, of any size; above 0 where pictures and texts differ the same way."""


def two_by_two(scores: Tensor, tolerance: float = 0.0) -> TwoByTwo:
    """Winoground's three scores of each item, and the interaction.

    Args:
        scores: (N, 2, 2), picture by text; on the diagonal what belongs together.
        tolerance: as in `above`.

    Returns:
        What each item counts.

    Raises:
        ValueError: for another shape, or what `above` refuses.
    """
    if scores.ndim != 3 or scores.shape[1:] != (2, 2):
        raise ValueError(f"need scores (N, 2, 2), got {tuple(scores.shape)}")
    s = scores.double()
    own, other = s.diagonal(dim1=1, dim2=2), torch.stack((s[:, 0, 1], s[:, 1, 0]), 1)
    first, second = own.split(1, 1)
    right, left = other.split(1, 1)
    return TwoByTwo(
        text=above(first, right, tolerance) * above(second, left, tolerance),
        image=above(first, left, tolerance) * above(second, right, tolerance),
        group=above(own, other, tolerance),
        interaction=own.sum(1) - other.sum(1),
    )


def itt(scores: Tensor, tolerance: float = 0.0) -> Tensor:
    """SugarCrepe++ with pictures: both captions above the negative; scores (N, 3) of caption, caption 2, negative -> (N,)."""
    return above(scores[:, :2], scores[:, 2:], tolerance)


def tot(similar: Tensor, tolerance: float = 0.0) -> Tensor:
    """SugarCrepe++ of texts: the captions nearer to each other than either to the negative; (N, 3): 1-2, 1-n, 2-n -> (N,)."""
    return above(similar[:, :1], similar[:, 1:], tolerance)


def wilson(right: float, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval of a share.

    Args:
        right: how many are right; halves are allowed, which makes the interval too wide rather than too narrow.
        count: of how many.
        level: coverage, in (0, 1).

    Returns:
        Lower and upper end, in [0, 1].

    Raises:
        ValueError: for a count below 1, more right than there are, or another level.
    """
    if not (count >= 1 and 0 <= right <= count and 0 < level < 1):
        raise ValueError(f"need 0 <= right <= count, count >= 1 and a level in (0, 1), got {right:g}, {count}, {level:g}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, spread = right / count, z * z / count
    middle, half = p + spread / 2, z * math.sqrt(p * (1 - p) / count + spread / count / 4)
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many of how many are right."""

    credit: float
    """The sum of what each counts."""
    clear: int
    """Right without a tie."""
    ties: int
    """Those that count a fraction."""
    count: int
    """Of how many."""

    @property
    def accuracy(self) -> float:
        """The share that is right, ties as the module says, in [0, 1]."""
        return self.credit / self.count

    @property
    def strict(self) -> float:
        """The share when a tie counts as wrong, as most published code has it."""
        return self.clear / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the accuracy, at 95 %."""
        return wilson(self.credit, self.count)


def tally(credit: Tensor) -> Tally:
    """Count what each item counts, (N,) in [0, 1]; ValueError where there is none."""
    if credit.ndim != 1 or not len(credit) or not ((credit >= 0) & (credit <= 1)).all():
        raise ValueError(f"need what each of one item or more counts, in [0, 1], got {tuple(credit.shape)}")
    clear = int((credit == 1).sum())
    ties = int(((credit > 0) & (credit < 1)).sum())
    return Tally(credit=float(credit.double().sum()), clear=clear, ties=ties, count=len(credit))


def by_category(credit: Tensor, categories: Sequence[str]) -> dict[str, Tally]:
    """A tally of each category, in the order in which they come; credit (N,) and as many names."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(categories):
        rows.setdefault(name, []).append(row)
    if len(categories) != len(credit):
        raise ValueError(f"need a category of each item, got {len(categories)} of {len(credit)}")
    return {name: tally(credit[mine]) for name, mine in rows.items()}


@dataclass(frozen=True, kw_only=True)
class Macro:
    """The plain mean of categories, however many items each has."""

    accuracy: float
    strict: float
    """The same when a tie counts as wrong."""
    interval: tuple[float, float]
    """From Wilson's intervals of the categories, by Zou and Donner's rule."""


def macro(tallies: Mapping[str, Tally]) -> Macro:
    """The plain mean of the accuracies of categories; ValueError where there is none."""
    if not tallies:
        raise ValueError("need a category or more, got none")
    of = list(tallies.values())
    mean = sum(one.accuracy for one in of) / len(of)
    down, up = (math.sqrt(sum((one.interval[end] - one.accuracy) ** 2 for one in of)) / len(of) for end in (0, 1))
    strict = sum(one.strict for one in of) / len(of)
    return Macro(accuracy=mean, strict=strict, interval=(max(0.0, mean - down), min(1.0, mean + up)))
