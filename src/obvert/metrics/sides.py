"""Which side fails where a picture and its text are not told from their counterparts: the texts, the pictures, or how they meet.

Of an item with texts t, t' and pictures v, v', all of unit features,

    dT = T(t) - T(t'),  dF = F(v) - F(v')      text-blind: |dT| ~ 0    visual-blind: |dF| ~ 0    misaligned: both large, cos ~ 0

What is small is told by unrelated items, so that features in a narrow cone do not pass for blind ones: |dT| and |dF| are divided
by their root mean squares between items half the set apart, and cos(dF, dT) by its mean over the same.

References:
    | token-aware causal representation learning, https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import cosine_similarity

LEAST = 0.05
"""Cosine below which the differences of unrelated items do not meet either, and are no scale for others."""
Side = Literal["blind", "text-blind", "visual-blind", "misaligned", "sees"]


@dataclass(frozen=True, kw_only=True)
class Differences:
    """How far counterparts lie apart, as a share of how far unrelated ones do; each (N,) float64."""

    text: Tensor
    """|T(t) - T(t')|, 0 where the texts are one to the model, about 1 where they are as unlike as any two."""
    image: Tensor
    """|F(v) - F(v')|, the same of the pictures."""
    cosine: Tensor
    """Of the two differences, about 1 where they meet as well as those of unrelated items; 0 where one of them is 0."""


def differences(texts: Tensor, pictures: Tensor) -> Differences:
    """Compare the differences within items with those between unrelated ones.

    Args:
        texts: (N, 2, d) unit features of each item's two texts, of two items or more.
        pictures: (N, 2, d) unit features of the pictures that belong to them.

    Returns:
        The three shares of each item.

    Raises:
        ValueError: for other shapes, or where the unrelated texts or pictures are all alike.
    """
    if texts.shape != pictures.shape or texts.ndim != 3 or texts.shape[1] != 2 or len(texts) < 2:
        raise ValueError(f"need features (N, 2, d) of both, N >= 2, got {tuple(texts.shape)} and {tuple(pictures.shape)}")
    t, v = texts.double(), pictures.double()
    half = len(t) // 2
    within = t[:, 0] - t[:, 1], v[:, 0] - v[:, 1]
    between = t[:, 0] - t[:, 0].roll(half, 0), v[:, 0] - v[:, 0].roll(half, 0)
    scale = [apart.square().sum(1).mean().sqrt() for apart in between]
    if min(scale) == 0:
        raise ValueError("need items that differ, got features that are all alike")
    text, image = (apart.norm(dim=1) / size for apart, size in zip(within, scale, strict=True))
    aligned = cosine_similarity(between[0], between[1]).mean().clamp(min=LEAST)
    cosine = cosine_similarity(within[0], within[1]) / aligned
    return Differences(text=text, image=image, cosine=cosine)


def which_side(text: float, image: float, cosine: float, *, blind: float = 0.1, askew: float = 0.25) -> Side:
    """The verdict on one item, or on the means of many.

    Args:
        text: share of `Differences`.
        image: share of `Differences`.
        cosine: share of `Differences`.
        blind: below this share of what lies between unrelated texts, or pictures, a side does not see the difference.
        askew: below this share of their cosine two differences that are there do not meet.

    Returns:
        "blind" where neither side sees it, "text-blind" or "visual-blind" where one does not, "misaligned" where both do but
        not the same, "sees" otherwise.
    """
    if text < blind or image < blind:
        return "blind" if max(text, image) < blind else "text-blind" if text < blind else "visual-blind"
    return "misaligned" if cosine < askew else "sees"
