"""Structural causal models of pictures and texts that share a content: for a whole sentence, and token by token.

    z_inv, e_img, e_txt, z_pr^img, z_pr^txt  ~  N(0, I), independent
    sentence   z_dp = A z_inv + e;  x = mixing(z_inv, z_dp, z_pr)
    tokens     c_i  = q_i z_inv + b_i (c_j, s_j)_{j<i};  s_i = a_i z_inv + w_i c_{j<i} + v_i s_{j<i} + e_i
               x_i  = mixing(c_i, s_i, p_i), the same mixing for every token

Every latent is scaled to deviation 1. As all are linear in z_inv and noise, E[z_dp | z_inv] and the share of z_dp that z_inv
explains are known exactly. The mixings are invertible: two matrices with a leaky ReLU between them.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
    | Self-Supervised Learning with Data Augmentations Provably Isolates Content from Style (von Kuegelgen et al., 2021)
    | https://arxiv.org/abs/2106.04619
    | Identifiability Results for Multimodal Contrastive Learning (Daunhawer et al., 2023), https://arxiv.org/abs/2303.09166
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.nn.functional import leaky_relu

from obvert.core import ObvertError

SLOPE = 0.2
"""Of the leaky ReLU below 0."""
COUPLING = 0.5
"""Deviation of the weights of earlier tokens."""
DRAWS = 100
"""Matrices drawn for each that is kept, the best conditioned."""
Kind = Literal["sentence", "tokens"]


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """An invertible map of latents to what is seen: x = B leaky(A z)."""

    first: Tensor
    """(k, k)."""
    second: Tensor
    """(k, k)."""

    def __call__(self, z: Tensor) -> Tensor:
        """What is seen of latents (..., k)."""
        return leaky_relu(z @ self.first.T, SLOPE) @ self.second.T

    def inverse(self, x: Tensor) -> Tensor:
        """The latents (..., k) of what is seen."""
        return leaky_relu(x @ self.second.inverse().T, 1 / SLOPE) @ self.first.inverse().T


@dataclass(frozen=True, kw_only=True)
class View:
    """What one modality shows of a draw, and its latents."""

    x: Tensor
    """(N, 3 d) seen, tokens one after the other."""
    dependent: Tensor
    """(N, d) style that depends on the content."""
    independent: Tensor
    """(N, d) style that does not."""
    expected: Tensor
    """(N, d) E[dependent | content]."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One modality: u = (z_inv, e, z_pr), each of d numbers, gives the latents, and these what is seen."""

    structure: Tensor
    """(3 d, 3 d) latents from u, token by token: contents, dependent styles, independent styles."""
    mixing: Mixing
    """Of the latents of one token."""
    tokens: int

    @property
    def size(self) -> int:
        """d, the numbers of z_inv and of each style."""
        return len(self.structure) // 3

    @property
    def rows(self) -> Tensor:
        """(d,) which latents are dependent styles."""
        return torch.arange(len(self.structure)).view(self.tokens, 3, -1)[:, 1].flatten()

    @property
    def explained(self) -> Tensor:
        """(d,) the share of each dependent style's variance that z_inv explains: the best R^2 that z_inv can give."""
        return self.structure[self.rows, : self.size].square().sum(1)

    def view(self, content: Tensor, generator: Generator) -> View:
        """Draw the styles of contents (N, d), and what is seen."""
        noise, private = torch.randn(2, *content.shape, generator=generator)
        latents = torch.cat((content, noise, private), 1) @ self.structure.T
        return View(
            x=self.mixing(latents.unflatten(1, (self.tokens, -1))).flatten(1),
            dependent=latents[:, self.rows],
            independent=private,
            expected=content @ self.structure[self.rows, : self.size].T,
        )


@dataclass(frozen=True, kw_only=True)
class SCM:
    """Pictures and texts of one content."""

    image: Side
    text: Side

    def draw(self, count: int, generator: Generator) -> tuple[Tensor, View, View]:
        """Draw pairs.

        Args:
            count: how many.
            generator: of the draw.

        Returns:
            The contents (N, d), their pictures and their texts.
        """
        content = torch.randn(count, self.image.size, generator=generator)
        return content, self.image.view(content, generator), self.text.view(content, generator)


def scm(kind: Kind, *, size: int = 2, dependence: float = 1.0, seed: int = 0) -> SCM:
    """Draw a model.

    Args:
        kind: "sentence", or "tokens" for texts of `size` tokens; pictures are mixed as a whole in both.
        size: d, numbers of z_inv and of each style.
        dependence: weight of the content in the dependent styles; at 0 they are independent of it.
        seed: of structures and mixings.

    Returns:
        The model.

    Raises:
        ObvertError: for another kind, or no numbers.
    """
    if kind not in ("sentence", "tokens") or size < 1:
        raise ObvertError(f"need 'sentence' or 'tokens' and a size of 1 or more, got {kind!r} and {size}")
    draw = Generator().manual_seed(seed)
    tokens = size if kind == "tokens" else 1
    whole = Side(structure=_sentence(size, dependence, draw), mixing=mixing(3 * size, draw), tokens=1)
    structure = _tokens(size, dependence, draw) if kind == "tokens" else _sentence(size, dependence, draw)
    return SCM(image=whole, text=Side(structure=structure, mixing=mixing(3 * size // tokens, draw), tokens=tokens))


def mixing(size: int, generator: Generator) -> Mixing:
    """Draw an invertible mixing of so many numbers."""
    return Mixing(first=_conditioned(size, generator), second=_conditioned(size, generator))


def _conditioned(size: int, generator: Generator) -> Tensor:
    drawn = torch.randn(DRAWS, size, size, generator=generator)
    drawn = drawn / drawn.norm(dim=1, keepdim=True)
    return drawn[torch.linalg.cond(drawn).argmin()]


def _sentence(d: int, dependence: float, generator: Generator) -> Tensor:
    structure = torch.eye(3 * d)
    structure[d : 2 * d, :d] = dependence * torch.randn(d, d, generator=generator)
    return structure / structure.norm(dim=1, keepdim=True)


def _tokens(d: int, dependence: float, generator: Generator) -> Tensor:
    def weights(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    said = torch.linalg.qr(weights(d, d)).Q
    unit = torch.eye(3 * d)
    contents, styles, rows = torch.zeros(0, 3 * d), torch.zeros(0, 3 * d), []
    for i in range(d):
        earlier = torch.cat((contents, styles))
        content = said[i] @ unit[:d] + COUPLING * weights(2 * i) @ earlier
        cause = weights(d) @ unit[:d] + COUPLING * weights(i) @ contents
        style = unit[d + i] + dependence * cause + COUPLING * weights(i) @ styles
        content, style = content / content.norm(), style / style.norm()
        contents, styles = torch.cat((contents, content[None])), torch.cat((styles, style[None]))
        rows += [content, style, unit[2 * d + i]]
    return torch.stack(rows)
