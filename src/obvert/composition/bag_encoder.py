"""A text encoder that sees the bag of words alone, learned to say what a given one says.

    T_bag(t) = normalise(mean + k(c(t), C) W),   k(a, b) = exp(-|a - b|^2 / (2 width^2)),   W = (k(C, C) + strength)^-1 (Y - mean)

c(t) counts the words of a text, C and Y are counts and features of the texts it learns from: kernel ridge regression, solved at
once. Whatever order the words stand in, the features are the same, so every swap is a tie by construction.

References:
    | When and Why Vision-Language Models Behave like Bags-Of-Words (Yuksekgonul et al., 2023), https://arxiv.org/abs/2210.01936
    | Ridge regression learning algorithm in dual variables (Saunders et al., 1998)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import normalize

from obvert.composition.text.words import words
from obvert.core import ObvertError

WIDTHS, STRENGTHS = (0.5, 1.0, 2.0), (1e-3, 1e-2, 1e-1)
"""Tried: width of the kernel as a share of the root mean square distance of two texts, and strength of the ridge."""
LARGEST = 3000
"""Texts it learns from at most; more are drawn from."""
LEAST = 10
"""Different bags that it can be learned from."""


@dataclass(frozen=True, kw_only=True)
class BagEncoder:
    """Texts to unit features, by the counts of their words."""

    columns: Mapping[str, int]
    """Of each word that it knows, its place among the counts; others are not counted."""
    anchors: Tensor
    """(n, V) counts of the texts it was learned from, float64."""
    weights: Tensor
    """(n, d) float64."""
    mean: Tensor
    """(d,) float64."""
    width: float
    """Of the kernel, in counts."""

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Texts to unit features (B, d), fp32; those of one bag are one to the last bit."""
        row = {bag: i for i, bag in enumerate(dict.fromkeys(map(key, texts)))}
        found = self.mean + _kernel(count(list(row), self.columns), self.anchors, self.width) @ self.weights
        return normalize(found, dim=1).float()[[row[key(text)] for text in texts]]


def fit(texts: Sequence[str], features: Tensor, *, seed: int = 0) -> BagEncoder:
    """Learn the features of texts from their bags.

    Args:
        texts: N texts, with ten different bags at least.
        features: (N, d) what they should get.
        seed: of the fifth that width and strength are chosen on, and of the texts drawn where there are very many.

    Returns:
        The encoder, learned from all texts with the width and strength that were best on the fifth.

    Raises:
        ObvertError: for too few texts, or features that do not fit.
    """
    bags = list(dict.fromkeys(map(key, texts)))
    if len(bags) < LEAST or len(features) != len(texts):
        raise ObvertError(f"need {LEAST} different bags of words and a feature of each text, got {len(bags)} and {len(features)}")
    generator = torch.Generator().manual_seed(seed)
    order = [bags[i] for i in torch.randperm(len(bags), generator=generator).tolist()][:LARGEST]
    member: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        member.setdefault(key(text), []).append(i)
    given = features.detach().cpu().double()
    wanted = torch.stack([given[member[bag]].mean(0) for bag in order])
    columns = {word: i for i, word in enumerate(sorted({word for bag in order for word in bag.split()}))}
    counts = count(order, columns)
    spread = (2 * counts.var(0).sum()).sqrt().item()
    aside = max(2, len(order) // 5)

    def error(setting: tuple[float, float]) -> float:
        made = _solve(columns, counts[aside:], wanted[aside:], setting[0] * spread, setting[1])
        return (made(order[:aside]).double() - wanted[:aside]).square().sum().item()

    width, strength = min(product(WIDTHS, STRENGTHS), key=error)
    return _solve(columns, counts, wanted, width * spread, strength)


def explained(said: Tensor, features: Tensor) -> float:
    """R^2: share of the variance of features (N, d) that others say, over all components; NaN where there is none."""
    given = features.detach().cpu().double()
    rest = (said.detach().cpu().double() - given).square().sum()
    whole = (given - given.mean(0)).square().sum()
    return (1 - rest / whole).item() if whole else float("nan")


def count(texts: Sequence[str], columns: Mapping[str, int]) -> Tensor:
    """Counts (B, V) of the words of texts, float64."""
    counts = torch.zeros(len(texts), len(columns), dtype=torch.float64)
    for row, text in enumerate(texts):
        for word in words(text):
            if word in columns:
                counts[row, columns[word]] += 1
    return counts


def _solve(columns: Mapping[str, int], counts: Tensor, wanted: Tensor, width: float, strength: float) -> BagEncoder:
    mean = wanted.mean(0)
    kernel = _kernel(counts, counts, width)
    kernel.diagonal().add_(strength)
    weights = torch.cholesky_solve(wanted - mean, torch.linalg.cholesky(kernel))
    return BagEncoder(columns=columns, anchors=counts, weights=weights, mean=mean, width=width)


def _kernel(a: Tensor, b: Tensor, width: float) -> Tensor:
    return torch.exp(-(torch.cdist(a, b) ** 2) / (2 * width**2))


def key(text: str) -> str:
    """The same for texts of one bag: their words, sorted."""
    return " ".join(sorted(words(text)))
