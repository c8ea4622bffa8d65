"""Losses that teach a dual encoder composition, each a mean over what it is given.

    contrastive   1/2 CE of pictures over all texts, hard negatives among them, + 1/2 CE of texts over pictures      (NegCLIP)
    focal         (1 - p)^gamma (-log p),  p = softmax(scale s) at t among {t, t-_1..K}                              (FSC-CLIP)
    apart         |T(t) - T(t')|^2 of texts that say the same, or of a text before and after                         (READ)
    crossed       softplus(-I / tau),  I = s_11 + s_22 - s_12 - s_21 of real pairs, two by two

    L = contrastive + l1 focal + l2 apart(paraphrases) + l3 apart(T, T_0) + l4 crossed

References:
    | When and Why Vision-Language Models Behave like Bags-Of-Words (Yuksekgonul et al., 2023), https://arxiv.org/abs/2210.01936
    | Preserving Multi-Modal Capabilities of Pre-trained VLMs (Oh et al., 2024), https://arxiv.org/abs/2410.05210
    | READ (Cho et al., 2025), https://arxiv.org/abs/2510.16540
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad, softplus


def contrastive(images: Tensor, texts: Tensor, hard: Tensor, scale: float) -> Tensor:
    """CLIP's loss with hard negatives among the texts.

    Args:
        images: (B, d) unit features.
        texts: (B, d) of the texts that belong to them, row by row.
        hard: (K, d) of texts that belong to none of them; K may be 0.
        scale: of the logits, one over the temperature.

    Returns:
        The loss, a number.
    """
    logits = scale * images @ torch.cat((texts, hard)).T
    own = torch.arange(len(images), device=images.device)
    return (cross_entropy(logits, own) + cross_entropy(logits[:, : len(own)].T, own)) / 2


def focal(images: Tensor, right: Tensor, wrong: list[Tensor], scale: float, gamma: float = 2.0) -> Tensor:
    """Focal cross entropy of each picture over its own text and its hard negatives alone.

    Args:
        images: (B, d) unit features.
        right: (B, d) of their texts.
        wrong: B times (K_i, d) of their hard negatives; those without any are left out.
        scale: of the logits.
        gamma: how much less counts what is told already; 0 is plain cross entropy.

    Returns:
        The loss, a number; 0 where nobody has a hard negative.
    """
    rows = [row for row, mine in enumerate(wrong) if len(mine)]
    if not rows:
        return right.sum() * 0
    most = max(len(wrong[row]) for row in rows)
    own = scale * (images * right).sum(1)[rows, None]
    others = torch.stack([pad(scale * wrong[row] @ images[row], (0, most - len(wrong[row])), value=-torch.inf) for row in rows])
    told = torch.cat((own, others), 1).log_softmax(1)[:, 0]
    return -((1 - told.exp()) ** gamma * told).mean()


def apart(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared distance of features (B, d), row by row; 0 where there are none."""
    return (one - other).square().sum(1).mean() if len(one) else one.sum()


def crossed(images: Tensor, texts: Tensor, tau: float) -> Tensor:
    """How far real pairs are from meeting, two by two.

    Args:
        images: (N, 2, d) unit features of each pair's pictures.
        texts: (N, 2, d) of their texts, each one's picture at the same place.
        tau: interaction that is asked for, about.

    Returns:
        The loss, a number; 0 where there are none. A constant gap between the modalities does not change it.
    """
    if not len(images):
        return texts.sum()
    return softplus(-((images[:, 0] - images[:, 1]) * (texts[:, 0] - texts[:, 1])).sum(1) / tau).mean()
