"""What a corpus says of word order beyond its words: entropy, collisions in a batch, and the loss they can cost.

    H(sequence | bag) = (1/M) [sum over bags m log m  -  sum over sequences m log m]        nats, m the times it occurs
    pairs(N)          = N (N - 1) / 2 * mean(b - s) / (M - 1)                               pairs of a bag in another order
    Delta L(N)        = E log (1 + n_bag) - E log (1 + n_seq)                               nats a caption

M captions; b and s are how many captions of other pictures share a caption's bag, and its sequence. A batch of N is drawn
without replacement, so n_bag given b is hypergeometric and each mean is a finite sum: exact, no sampling. What a text
tower that sees the bag alone must lose is Delta L(N): of captions it cannot tell apart each gets at most an equal share.

The entropy is a plug-in estimate and biased low, by much where most captions occur once: what was not seen twice says
nothing. Batch figures are not: a batch drawn from the corpus is a batch drawn from where the corpus came from.

References:
    | Note on the bias of information estimates (Miller, 1955), as the Miller-Madow correction
    | The population frequencies of species and the estimation of population parameters (Good, 1953), for the coverage
    | https://doi.org/10.1093/biomet/40.3-4.237
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from obvert.composition.corpora.corpus import Tallies
from obvert.core import ObvertError

REACH = 12.0
"""Deviations from the mean beyond which a hypergeometric counts as nothing, some more for rare events."""


def entropy(tallies: Tallies) -> float:
    """H(sequence | bag) in nats, plug-in: biased low."""
    return (_weighted(tallies.bags) - _weighted(tallies.sequences)) / tallies.captions


def entropy_corrected(tallies: Tallies) -> float:
    """The same with Miller and Madow's first-order correction: nearer, and low still where most bags occur once."""
    return entropy(tallies) + (tallies.sequences.total() - tallies.bags.total()) / (2 * tallies.captions)


def coverage(tallies: Tallies) -> float:
    """Share of new captions whose bag the corpus holds already, as Good and Turing estimate it, in [0, 1]."""
    return 1 - tallies.bags[1] / tallies.captions


def entropy_of_part(tallies: Tallies, captions: int) -> float:
    """Mean plug-in entropy of so many of the captions, drawn without replacement: if it rises, the whole is too small.

    Args:
        tallies: of the corpus.
        captions: 1 to all of them.

    Returns:
        H(sequence | bag) in nats.
    """
    m = tallies.captions

    def total(counter: Counter[int]) -> float:
        return sum(n * expected(_x_log_x, times, m, captions) for times, n in counter.items() if times > 1)

    return (total(tallies.bags) - total(tallies.sequences)) / captions


def order_varies(tallies: Tallies) -> float:
    """Of two captions of one bag, the chance that their order differs; NaN where no two share one."""
    alike = {name: sum(n * m * (m - 1) for m, n in getattr(tallies, name).items()) for name in ("bags", "sequences")}
    return 1 - alike["sequences"] / alike["bags"] if alike["bags"] else float("nan")


def batch(tallies: Tallies, size: int) -> dict[str, float]:
    """What a batch of captions holds on average.

    Args:
        tallies: of the corpus.
        size: N captions, 2 to as many as there are.

    Returns:
        `pairs`, expected pairs of one bag in another order and of other pictures; `touched`, share of captions with such a
        partner in the batch; `loss_gap`, Delta L(N) in nats; `loss_floor`, what the sequence itself cannot tell apart.

    Raises:
        ObvertError: for another size.
    """
    m = tallies.captions
    if not 2 <= size <= m:
        raise ObvertError(f"need a batch of 2 to {m} captions, as many as there are, got {size}")
    sequence, bag, order = Counter[int](), Counter[int](), Counter[int]()
    for (s, b), n in tallies.rivals.items():
        sequence[s] += n
        bag[b] += n
        order[b - s] += n

    def mean(function: Callable[[np.ndarray], np.ndarray], counter: Counter[int]) -> float:
        return sum(n * expected(function, k, m - 1, size - 1) for k, n in counter.items() if k) / m

    floor = mean(np.log1p, sequence)
    return {
        "pairs": size * (size - 1) / 2 * sum(k * n for k, n in order.items()) / m / (m - 1),
        "touched": mean(lambda x: (x > 0).astype(float), order),
        "loss_gap": mean(np.log1p, bag) - floor,
        "loss_floor": floor,
    }


def expected(function: Callable[[np.ndarray], np.ndarray], marked: int, among: int, drawn: int) -> float:
    """Mean of a function of how many marked ones are drawn without replacement.

    Args:
        function: of an array of counts.
        marked: of `among`.
        among: how many there are.
        drawn: of `among`.

    Returns:
        The mean, by the sum over every count that has a chance.
    """
    low, high = max(0, marked + drawn - among), min(marked, drawn)
    centre = marked * drawn / among
    reach = REACH * (centre**0.5 + REACH)
    n = np.arange(max(low, int(centre - reach)), min(high, int(centre + reach)) + 1, dtype=float)
    ratio = (marked - n[:-1]) * (drawn - n[:-1]) / ((n[:-1] + 1) * (among - marked - drawn + n[:-1] + 1))
    log = np.concatenate(([0.0], np.cumsum(np.log(ratio))))
    weight = np.exp(log - log.max())
    return float(weight @ function(n) / weight.sum())


def _weighted(counter: Counter[int]) -> float:
    return float(sum(n * m * np.log(m) for m, n in counter.items()))


def _x_log_x(x: np.ndarray) -> np.ndarray:
    return x * np.log(np.maximum(x, 1))


def ladder(largest: int, steps: Iterable[int] = (32, 64, 128, 256, 512, 1024, 4096, 16384, 32768)) -> list[int]:
    """Sizes of batches as they are usual, up to the largest."""
    return [size for size in steps if size <= largest]
