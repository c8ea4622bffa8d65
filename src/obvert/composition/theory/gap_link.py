"""The modality gap as the link from blind texts to blind pictures.

At the optimum picture and text features differ by one constant, F(v) = G(t) + Delta. Then for two pairs (v, t) and (v', t')

    <F(v) - F(v'), G(t)>  =  <G(t) - G(t'), G(t)>  =  |G(t) - G(t')|^2 / 2      for features of length 1,

which is 0 if G(t) = G(t'): what the texts do not tell apart, no picture can be selected by.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
    | Connect, Collapse, Corrupt: Learning Cross-Modal Tasks with Uni-Modal Data (Zhang et al., 2024)
    | https://arxiv.org/abs/2401.08567
"""

from __future__ import annotations

from torch import Tensor

from obvert.core import ObvertError


def constant_share(image: Tensor, text: Tensor) -> float:
    """How much of what lies between pictures and their texts is one constant.

    Args:
        image: (N, d) features.
        text: (N, d) features, row by row of the same pairs.

    Returns:
        |E (F - G)|^2 / E |F - G|^2 in [0, 1]; 1 for F = G + Delta.

    Raises:
        ObvertError: where there is nothing between them.
    """
    apart = image.double() - text.double()
    whole = apart.square().sum(1).mean()
    if not whole > 0:
        raise ObvertError("need pictures and texts that differ, got equal features")
    return float(apart.mean(0).square().sum() / whole)


def selected(image: Tensor, image_other: Tensor, text: Tensor) -> Tensor:
    """How much nearer a text is to its own picture than to another: <F(v) - F(v'), G(t)>.

    Args:
        image: (N, d) features of the pictures.
        image_other: (N, d) of the others.
        text: (N, d) of the texts.

    Returns:
        (N,) in float64.
    """
    return ((image.double() - image_other.double()) * text.double()).sum(1)


def predicted(text: Tensor, text_other: Tensor) -> Tensor:
    """What `selected` is if the gap is constant: <G(t) - G(t'), G(t)>.

    Args:
        text: (N, d) features of the texts.
        text_other: (N, d) of the other pictures' texts.

    Returns:
        (N,) in float64.
    """
    return selected(text, text_other, text)
