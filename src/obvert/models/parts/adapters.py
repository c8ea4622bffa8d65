"""Adapters: weights W that stay, and the few numbers that change what the network sees of them.

    low rank      W + B A                  A (r, in) drawn, B (out, r) zero at the start
    linear map    M W, and M b of a bias   M (out, out) the identity at the start

Each is a parametrisation of torch: whoever reads the weight reads the changed one, be it a linear layer or the packed query,
key and value of torch's attention. Both start as no change at all, and end as plain weights.

References:
    | LoRA: Low-Rank Adaptation of Large Language Models (Hu et al., 2021)
    | https://arxiv.org/abs/2106.09685
    | Robust fine-tuning of zero-shot models (Wortsman et al., 2021), for the share between old and new weights
    | https://arxiv.org/abs/2109.01903
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """A change of low rank of a matrix."""

    def __init__(self, shape: tuple[int, int], rank: int, generator: torch.Generator) -> None:
        """Draw A with deviation 1 / sqrt(in); B is zero.

        Args:
            shape: (out, in) of the matrix.
            rank: r, as far as the matrix has as much.
            generator: of the draw.
        """
        super().__init__()
        rank = min(rank, *shape)
        self.into = nn.Parameter(torch.randn(rank, shape[1], generator=generator) / shape[1] ** 0.5)
        self.out = nn.Parameter(torch.zeros(shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        """W -> W + B A."""
        return weight + self.out @ self.into

    @torch.no_grad()
    def shrink(self, share: float) -> None:
        """Keep that share of the change."""
        self.out.mul_(share)


class LinearMap(nn.Module):
    """A linear map of what a layer gives."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.eye(dimension))

    def forward(self, weight: Tensor) -> Tensor:
        """W (out, in) -> M W, b (out,) -> M b."""
        return self.matrix @ weight

    @torch.no_grad()
    def shrink(self, share: float) -> None:
        """Keep that share of the change."""
        self.matrix.copy_(torch.eye(len(self.matrix)).to(self.matrix).lerp(self.matrix, share))


class Transposed(nn.Module):
    """A linear map for a matrix that is kept as (in, out)."""

    def __init__(self, inner: LinearMap) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, weight: Tensor) -> Tensor:
        """W (in, out) -> W M^T."""
        return self.inner(weight.T).T


def matrices(tower: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Every matrix inside a tower: of its linear layers, and the packed ones of torch's attention."""
    for module in tower.modules():
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            yield module, "in_proj_weight"
        elif isinstance(module, nn.Linear):
            yield module, "weight"


def adapt(module: nn.Module, name: str, adapter: nn.Module) -> None:
    """Let a weight be seen through an adapter; the same adapter may serve several."""
    parametrize.register_parametrization(module, name, adapter.to(getattr(module, name).device))


def adapters(network: nn.Module) -> list[LowRank | LinearMap]:
    """The adapters of a network, each once."""
    return [module for module in network.modules() if isinstance(module, LowRank | LinearMap)]


@torch.no_grad()
def merged(network: nn.Module) -> dict[str, Tensor]:
    """What the adapters make of the weights that they are on, by the weights' own names."""
    found = {}
    for path, module in network.named_modules():
        if parametrize.is_parametrized(module):
            for name in module.parametrizations:
                found[f"{path}.{name}".lstrip(".")] = getattr(module, name).clone()
    return found
