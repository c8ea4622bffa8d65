"""Recoverability: what one linear map on one side brings back.

    s_ij = <F(v_i), W T(t_j)> / |W T(t_j)|          image side: <A F(v_i), T(t_j)> / |A F(v_i)|
    W = argmin sum softplus(-m / tau) + strength |W - 1|^2,   m: the four margins s_ii - s_ij, s_ii - s_ji of a two by two

It is fitted on some pairs and tested on others. If what failed now holds, the information was there and only misaligned; a
side that does not tell two things apart cannot be mapped to do so. A map fitted on pairs whose texts are exchanged at random is
the control: it must bring nothing. Two by two has no odd one out, so that nothing but the meeting of both sides is learned.

References:
    | token-aware causal representation learning, https://arxiv.org/abs/2510.26302
    | Linear Alignment of Vision-language Models for Image Captioning (Paischer et al., 2023), https://arxiv.org/abs/2307.05591
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from obvert.core import ObvertError
from obvert.metrics import two_by_two

Side = Literal["text", "image"]
STRENGTHS = (math.inf, 10.0, 1.0, 0.1, 0.01)
"""Penalties tried, strongest first; the first with the highest group score on a quarter of the pairs is taken."""
ITERATIONS = 20
"""Of L-BFGS, for each penalty."""
LEAST = 16
"""Pairs that a map is fitted on at least."""


@dataclass(frozen=True, kw_only=True)
class LinearMap:
    """A square matrix on one side, identity where nothing was to be gained."""

    side: Side
    matrix: Tensor
    """(d, d) float64."""

    def scores(self, images: Tensor, texts: Tensor) -> Tensor:
        """Score two by twos.

        Args:
            images: (N, 2, d) unit features of each item's pictures.
            texts: (N, 2, d) unit features of its texts.

        Returns:
            (N, 2, 2) cosines, picture by text, float64.
        """
        return _scores(images.double(), texts.double(), self.matrix, self.side)


def fit(images: Tensor, texts: Tensor, *, side: Side, seed: int = 0) -> LinearMap:
    """Fit one linear map on one side.

    Args:
        images: (N, 2, d) unit features of each item's pictures, N >= 16.
        texts: (N, 2, d) unit features of its texts, each one's picture at the same place.
        side: which side is mapped.
        seed: of the quarter that the penalty is chosen on.

    Returns:
        The map, fitted on all pairs with the chosen penalty.

    Raises:
        ObvertError: for other shapes, or too few pairs.
    """
    if images.shape != texts.shape or images.ndim != 3 or images.shape[1] != 2 or len(images) < LEAST:
        shapes = f"{tuple(images.shape)} and {tuple(texts.shape)}"
        raise ObvertError(f"need features (N, 2, d) of both sides, N >= {LEAST}, got {shapes}")
    images, texts = images.detach().double().cpu(), texts.detach().double().cpu()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    aside, rest = order[: len(order) // 4], order[len(order) // 4 :]
    eye = torch.eye(images.shape[-1], dtype=torch.float64)
    unit = _margins(_scores(images, texts, eye, side)).square().mean().sqrt().clamp(min=1e-6)

    def loss(matrix: Tensor, rows: Tensor) -> Tensor:
        return softplus(-_margins(_scores(images[rows], texts[rows], matrix, side)) / unit).mean()

    tried = {math.inf: eye}
    for before, strength in pairwise(STRENGTHS):  # each begins where the stronger one ended
        tried[strength] = _descend(partial(_penalised, loss, rest, strength), tried[before])

    def group(strength: float) -> float:
        return two_by_two(_scores(images[aside], texts[aside], tried[strength], side)).group.mean().item()

    best = max(STRENGTHS, key=group)
    whole = _descend(partial(_penalised, loss, order, best), tried[best]) if math.isfinite(best) else eye
    return LinearMap(side=side, matrix=whole)


def exchanged(texts: Tensor, *, seed: int = 0) -> Tensor:
    """The control: (N, 2, d) texts, those of half of the items exchanged between the two pictures."""
    swapped = torch.rand(len(texts), generator=torch.Generator().manual_seed(seed)) < 0.5
    return torch.where(swapped[:, None, None].to(texts.device), texts.flip(1), texts)


def _scores(images: Tensor, texts: Tensor, matrix: Tensor, side: Side) -> Tensor:
    if side == "text":
        texts = normalize(texts @ matrix.T, dim=-1)
    else:
        images = normalize(images @ matrix.T, dim=-1)
    return images @ texts.transpose(1, 2)


def _margins(scores: Tensor) -> Tensor:
    """(N, 4): by how much what belongs together lies above what does not."""
    own = scores.diagonal(dim1=1, dim2=2)
    other = torch.stack((scores[:, 0, 1], scores[:, 1, 0]), 1)
    return torch.cat((own - other, own - other.flip(1)), 1)


def _penalised(loss: Callable[[Tensor, Tensor], Tensor], rows: Tensor, strength: float, matrix: Tensor) -> Tensor:
    change = matrix - torch.eye(len(matrix), dtype=matrix.dtype)
    return loss(matrix, rows) + strength * change.square().sum() / len(matrix)


def _descend(objective: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    matrix = start.clone().requires_grad_()
    solver = torch.optim.LBFGS([matrix], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        value = objective(matrix)
        value.backward()
        return value

    solver.step(closure)
    return matrix.detach()
