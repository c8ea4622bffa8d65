"""What a text tower says of order, told by its texts alone.

    R_op            = E[1 - cos(T(t), T(op t))] / E[1 - cos(T(t), T(t'))]     t, t' two texts of the corpus
    order variance  = E tr Cov_pi T(pi t) / tr Cov T(t)                       pi an order of the words of t
    R^2 on counts   = share of held-out tr Cov T(t) that a ridge regression on the counts of the words tells

An exact bag of words has R_swap = 0, order variance 0, and bigrams add nothing to the counts of single words. A tower may move
a caption for a paraphrase too, so R_op is read beside the ratio for paraphrases.

References:
    | When and Why Vision-Language Models Behave like Bags-Of-Words (Yuksekgonul et al., 2023), https://arxiv.org/abs/2210.01936
    | Token-aware causal representation learning, https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from obvert.composition.text.words import words
from obvert.core import ObvertError

TextFeatures = Callable[[Sequence[str]], Tensor]
"""Texts -> (B, d) unit features."""
ALIKE = 1e-12
"""1 - cos that rounding in fp32 leaves of none."""
STRENGTHS = tuple(10.0**power for power in range(-4, 4))
"""Ridge penalties tried; one is chosen by leaving out each training text in turn."""


def spread(features: Tensor) -> float:
    """E[1 - cos] of two different rows, over all pairs.

    Args:
        features: (N, d) unit features, N >= 2.

    Returns:
        In [0, 2].

    Raises:
        ObvertError: for fewer than two rows, or rows that are all alike.
    """
    x = features.detach().double()
    if len(x) < 2:
        raise ObvertError(f"need two texts or pictures or more to compare with, got {len(x)}")
    found = ((len(x) * x.square().sum() - x.sum(0).square().sum()) / (len(x) * (len(x) - 1))).item()
    if found < ALIKE:
        raise ObvertError(f"need texts or pictures that the model tells apart, got {len(x)} that are all alike to it")
    return found


def moved(before: Tensor, after: Tensor, scale: float) -> Tensor:
    """1 - cos of each row with its partner, as a share of what two unrelated rows have.

    Args:
        before: (N, d) unit features.
        after: (N, d) unit features.
        scale: their `spread`.

    Returns:
        (N,) float64, 0 where nothing moved and about 1 where all did.
    """
    return (before.detach().double() - after.detach().double()).square().sum(-1) / (2 * scale)


def order_variance(encode: TextFeatures, texts: Sequence[str], *, orders: int = 8, seed: int = 0) -> Tensor:
    """How far the order of its words moves each text: tr Cov_pi T(pi t) / tr Cov T(t).

    Args:
        encode: the text tower.
        texts: two or more different ones.
        orders: drawn for each text.
        seed: of the draws.

    Returns:
        (N,) float64, one for each different text that has two different words or more; its mean is the ratio.

    Raises:
        ObvertError: for fewer than two texts with two different words, or fewer than two orders.
    """
    rng = np.random.default_rng(seed)
    told = [text.split() for text in dict.fromkeys(texts)]
    told = [mine for mine in told if len(set(mine)) > 1]
    if len(told) < 2 or orders < 2:
        need = "two texts with two different words or more, and two orders or more"
        raise ObvertError(f"need {need}, got {len(told)} and {orders}")
    shuffled = [" ".join(rng.permutation(mine)) for mine in told for _ in range(orders)]
    drawn = encode(shuffled).detach().double().cpu().unflatten(0, (-1, orders))
    whole = encode([" ".join(mine) for mine in told]).detach().double().cpu()
    return drawn.var(1).sum(-1) / spread(whole)


def explained(features: Tensor, texts: Sequence[str], *, length: int = 1, seed: int = 0) -> float:
    """Share of the variance of held-out texts that the counts of their words tell: R^2 of a ridge regression.

    One half of the texts trains, each text once however often it is there; the other half tests.

    Args:
        features: (N, d) of the texts.
        texts: N.
        length: 1 for single words, 2 for pairs of neighbours as well.
        seed: of the halves.

    Returns:
        At most 1; below 0 where the counts mislead.

    Raises:
        ObvertError: for fewer than 8 different texts.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import RidgeCV

    row: dict[str, int] = {}
    for i, text in enumerate(texts):
        row.setdefault(text, i)
    first = list(row)
    if len(first) < 8:
        raise ObvertError(f"need 8 different texts or more to learn from half of them, got {len(first)}")
    order = torch.randperm(len(first), generator=torch.Generator().manual_seed(seed))
    train, test = ([first[i] for i in half] for half in order.tensor_split(2))
    y, rest = (features.detach().double().cpu()[[row[text] for text in half]].numpy() for half in (train, test))
    counter = CountVectorizer(analyzer=lambda text: _grams(text, length))
    ridge = RidgeCV(STRENGTHS).fit(counter.fit_transform(train).astype(float), y)
    error = rest - ridge.predict(counter.transform(test).astype(float))
    return float(1 - np.square(error).sum() / np.square(rest - y.mean(0)).sum())


def _grams(text: str, length: int) -> list[str]:
    said = words(text)
    return [" ".join(said[i : i + n]) for n in range(1, length + 1) for i in range(len(said) - n + 1)]
