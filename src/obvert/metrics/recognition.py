"""What an independent dual encoder takes found pictures for: the rank of the wanted name among others, and how varied they are.

    p(name | picture) = softmax over names of cos(picture, name) / temperature
    class score       = exp( mean over pictures of KL( p(. | picture) | mean over pictures of p ) )

The class score is the formula of the Inception score with another network; the two are not to be compared. It is 1 where all
pictures look alike, or none like anything, and at most the number of names.

References:
    | Improved Techniques for Training GANs (Salimans et al., 2016)
    | https://arxiv.org/abs/1606.03498
"""

from __future__ import annotations

import torch
from torch import Tensor


def rank_of(image: Tensor, names: Tensor, wanted: Tensor) -> Tensor:
    """How many names fit each picture better than the wanted one.

    Args:
        image: (B, d) unit-norm features.
        names: (K, d) unit-norm features.
        wanted: (B,) int64 rows of `names`.

    Returns:
        (B,) int64 in [0, K); a tie counts as a better fit, so that equal features are no success.

    Raises:
        ValueError: for shapes that do not fit, or a wanted name that is not there.
    """
    if image.ndim != 2 or names.ndim != 2 or image.shape[1] != names.shape[1] or wanted.shape != image.shape[:1]:
        got = f"{tuple(image.shape)}, {tuple(names.shape)} and {tuple(wanted.shape)}"
        raise ValueError(f"need features (B, d), names (K, d) and wanted (B,), got {got}")
    if len(wanted) and not 0 <= int(wanted.min()) <= int(wanted.max()) < len(names):
        raise ValueError(f"need wanted names within 0..{len(names) - 1}, got {wanted.tolist()}")
    scores = image.double() @ names.double().T
    own = scores.gather(1, wanted[:, None])
    return (scores >= own).sum(1) - 1


def class_score(image: Tensor, names: Tensor, temperature: float = 0.01) -> float:
    """How sure and how varied a set of pictures is.

    Args:
        image: (B, d) unit-norm features, B >= 1.
        names: (K, d) unit-norm features.
        temperature: of the softmax, CLIP's.

    Returns:
        1 to K.

    Raises:
        ValueError: for no pictures, or a temperature that is not positive.
    """
    if not len(image) or not temperature > 0:
        raise ValueError(f"need a picture or more and temperature > 0, got {len(image)} and {temperature}")
    log_p = (image.double() @ names.double().T / temperature).log_softmax(1)
    mean = log_p.logsumexp(0) - torch.log(torch.tensor(float(len(log_p)), dtype=torch.float64))
    return (log_p.exp() * (log_p - mean)).sum(1).mean().exp().item()
