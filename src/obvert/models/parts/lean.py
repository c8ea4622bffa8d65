"""Less memory for a frozen autoencoder of pictures.

    channels side by side    convolutions read and write (H, W, C) and need no copies in another order; equal but for rounding
    SiLU in place            of what a norm has just made, where no gradient is wanted; bit for bit equal

Layers that are not known stay as they are.
"""

from __future__ import annotations

import torch
from diffusers.models.autoencoders.vae import Decoder, Encoder
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional as F


class InPlaceSiLU(nn.Module):
    """SiLU that overwrites what it reads, unless gradients are recorded."""

    def forward(self, x: Tensor) -> Tensor:
        """x sigmoid(x)."""
        return F.silu(x, inplace=not torch.is_grad_enabled())


def lean(network: nn.Module) -> None:
    """Change a network so."""
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, ResnetBlock2D) and module.time_emb_proj is None:
            _replace(module, "nonlinearity")
        if isinstance(module, Encoder | Decoder):
            _replace(module, "conv_act")


def _replace(module: nn.Module, name: str) -> None:
    if type(getattr(module, name)) is nn.SiLU:
        setattr(module, name, InPlaceSiLU())
