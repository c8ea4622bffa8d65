"""The modality gap: image and text features of one model lie in two separate cones.

References:
    | Mind the Gap (Liang et al., 2022)
    | https://arxiv.org/abs/2203.02053
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def modality_gap(image: Tensor, text: Tensor) -> float:
    """Euclidean distance between the mean unit image feature and the mean unit text feature.

    Args:
        image: (N, d) features of any length.
        text: (M, d) features of any length.

    Returns:
        Distance in [0, 2].

    Raises:
        ValueError: shapes that do not fit, no rows, or rows that are zero or not finite.
    """
    image, text = _unit(image, text, least=1)
    return (image.mean(0) - text.mean(0)).norm().item()


def linear_separability(image: Tensor, text: Tensor, *, seed: int = 0) -> float:
    """How well a logistic regression on standardised unit features tells held-out images from texts.

    Each modality is cut into two halves; one half of both trains and the other tests, both ways. As many images as texts
    are cut at the same rows, so that the two sides of a pair stay together. Both modalities weigh the same, however many
    rows they have.

    Args:
        image: (N, d) features of any length, N >= 2.
        text: (M, d) features of any length, M >= 2.
        seed: of the halves.

    Returns:
        Balanced accuracy, the mean of both ways: 0.5 is inseparable, 1.0 is separable.

    Raises:
        ValueError: shapes that do not fit, fewer than 2 rows, or rows that are zero or not finite.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def halves(x: Tensor) -> tuple[Tensor, ...]:
        return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))].tensor_split(2)

    images, texts = map(halves, _unit(image, text, least=2))
    accuracies = []
    for train in (0, 1):
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        kind = torch.tensor([0, 1]).repeat_interleave(torch.tensor([len(images[train]), len(texts[train])]))
        model.fit(torch.cat([images[train], texts[train]]).numpy(), kind.numpy())
        test = 1 - train
        accuracies += [(model.predict(x[test].numpy()) == side).mean() for side, x in enumerate((images, texts))]
    return float(sum(accuracies) / 4)


def _unit(image: Tensor, text: Tensor, *, least: int) -> tuple[Tensor, Tensor]:
    """Unit features in float64, apart from any graph, on the CPU."""
    if image.ndim != 2 or text.ndim != 2 or image.shape[1] != text.shape[1] or min(len(image), len(text)) < least:
        got = f"{tuple(image.shape)} and {tuple(text.shape)}"
        raise ValueError(f"need image (N, d) and text (M, d) with at least {least} rows, got {got}")
    image, text = (x.detach().cpu().double() for x in (image, text))
    for name, x in (("image", image), ("text", text)):
        if bad := int((~x.isfinite().all(dim=1) | (x == 0).all(dim=1)).sum()):
            raise ValueError(f"need finite {name} features other than zero, got {bad} of {len(x)} rows that are not")
    return F.normalize(image, dim=1), F.normalize(text, dim=1)
