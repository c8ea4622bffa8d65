"""What has to be known of each autoencoder class of diffusers: one row a class, no subclasses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from obvert.core.autoencoder import Media

Count = Callable[[Any], int]
"""A number read off a loaded network."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One class."""

    media: Media = "picture"
    reads: Literal["latent_dist", "latents", "latent"] = "latent_dist"
    """Where encode's output keeps the latents; of a distribution the mode is taken."""
    spatial: Count
    """Pixels (or samples of sound) along one edge that make one latent."""
    channels: Count = lambda network: int(network.config.latent_channels)
    """Channels of the latents that decode takes."""


def blocks(name: str) -> Count:
    """Each block but the last halves: 2^(n - 1) for the n entries that the config has under a name."""
    return lambda network: 2 ** (len(network.config[name]) - 1)


def ratio(network: Any) -> int:
    """What the network itself says."""
    return int(network.spatial_compression_ratio)


FACTS = {
    "AsymmetricAutoencoderKL": Facts(spatial=blocks("down_block_out_channels")),
    "AutoencoderDC": Facts(spatial=ratio, reads="latent"),
    "AutoencoderKL": Facts(spatial=blocks("block_out_channels")),
    "AutoencoderKLFlux2": Facts(spatial=blocks("block_out_channels")),
    "AutoencoderTiny": Facts(spatial=blocks("encoder_block_out_channels"), reads="latents"),
    "VQModel": Facts(
        spatial=blocks("block_out_channels"),
        reads="latents",
        channels=lambda network: int(network.config.vq_embed_dim or network.config.latent_channels),
    ),
}
