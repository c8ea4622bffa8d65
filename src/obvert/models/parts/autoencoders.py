"""What has to be known of each autoencoder class of diffusers: one row a class, no subclasses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.core.autoencoder import Media

Count = Callable[[Any], int]
"""A number read off a loaded network."""
Call = Callable[[Any, Tensor], Tensor]
"""A network and what it takes -> what it gives."""
FRAMES = 8
"""Of a video, that an encoder of pictures sees at a time."""
NO_KERNEL = ("not implemented for '", "Could not run '")
"""How torch tells that it has no kernel for a dtype, or none for a device."""


def mode(network: Any, media: Tensor) -> Tensor:
    """Latents as most classes give them: the mode of a distribution, never a sample."""
    return network.encode(media).latent_dist.mode()


def sample(network: Any, latents: Tensor) -> Tensor:
    """Media as most classes give them; nothing is sampled, the field is just called so."""
    return network.decode(latents).sample


def vq_sample(network: Any, latents: Tensor) -> Tensor:
    """Quantise and decode, the gradient straight-through; Kandinsky's networks decode without, as its pipelines do."""
    return network.decode(latents, force_not_quantize=network.config.norm_type == "spatial").sample


def mode_of_frames(network: Any, video: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B, c, T, h, w) by an encoder of pictures, some frames at a time, which changes nothing."""
    return unfold(torch.cat([mode(network, some) for some in fold(video).split(FRAMES)]), video)


def sample_of_frames(network: Any, latents: Tensor) -> Tensor:
    """(B, c, T, h, w) -> (B, C, T, H, W) by a decoder of frames in a row that sees how many belong together."""
    return unfold(network.decode(fold(latents), num_frames=latents.shape[2]).sample, latents)


def mode_of_one(network: Any, pictures: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, c, h, w) by a network of videos."""
    return mode(network, pictures[:, :, None])[:, :, 0]


def sample_of_one(network: Any, latents: Tensor) -> Tensor:
    """(B, c, h, w) -> (B, C, H, W) by a network of videos."""
    return sample(network, latents[:, :, None])[:, :, 0]


def ltx_sample(network: Any, latents: Tensor) -> Tensor:
    """At time 0 where the decoder wants a time, as the pipelines do; the noise some decoders add is the same in every call."""
    time = latents.new_zeros(len(latents)) if network.config.timestep_conditioning else None
    if not any(network.config.decoder_inject_noise):
        return network.decode(latents, time).sample
    on_cuda = latents.device.type == "cuda"
    with torch.random.fork_rng([latents.device] if on_cuda else []):
        (torch.cuda.default_generators[latents.device.index or 0] if on_cuda else torch.default_generator).manual_seed(0)
        return network.decode(latents, time).sample


def fold(video: Tensor) -> Tensor:
    """(B, C, T, ...) -> (B T, C, ...): frames as pictures, those of one video in a row."""
    return video.transpose(1, 2).flatten(0, 1)


def unfold(frames: Tensor, video: Tensor) -> Tensor:
    """(B T, c, ...) -> (B, c, T, ...), as many and as long as a video (B, C, T, ...)."""
    return frames.unflatten(0, (video.shape[0], video.shape[2])).transpose(1, 2)


def any_number(call: Call, network: Any, x: Tensor) -> Tensor:
    """`call`, of an empty batch too, where attention fails."""
    return call(network, x) if len(x) else call(network, x.new_zeros(1, *x.shape[1:]))[:0]


@contextmanager
def fresh(network: Any) -> Iterator[None]:
    """Forget what a causal network remembers of the last call, before and after, even when it fails.

    Args:
        network: of any class.

    Yields:
        Nothing.

    Raises:
        ObvertError: when torch cannot do on this device, in this dtype, what the network asks for.
    """
    clear = getattr(network, "clear_cache", None) or getattr(network, "_clear_conv_cache", None) or (lambda: None)
    clear()
    try:
        yield
    except NotImplementedError as error:
        if not any(said in str(error) for said in NO_KERNEL):  # a method that a class lacks is no matter of the dtype
            raise
        raise ObvertError(
            f"{type(network).__name__} does not run here in {network.dtype}: {str(error).splitlines()[0]}"
        ) from error
    finally:
        clear()


def _config(name: str) -> Count:
    return lambda network: int(network.config[name])


def _halvings(name: str) -> Count:
    """Each block but the last halves: 2^(n - 1) for the n entries that the config has under a name."""
    return lambda network: 2 ** (len(network.config[name]) - 1)


def _spatial(network: Any) -> int:
    return int(network.spatial_compression_ratio)


def _temporal(network: Any) -> int:
    return int(network.temporal_compression_ratio)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One class."""

    media: Media = "picture"
    encode: Call = mode
    decode: Call = sample
    spatial: Count = _spatial
    """Pixels along an edge, or samples of sound, that make one latent."""
    step: Count = lambda network: 1
    """Videos have 1 + step k frames, or the decoder gives back another number of them."""
    inputs: Count = lambda network: int(network.config.in_channels)
    """Channels of a medium."""
    channels: Count = lambda network: int(network.config.latent_channels)
    """Channels of the latents that `decode` takes."""
    rate: Callable[[Any], int | None] = lambda network: None
    """Samples of sound a second."""


FACTS = {
    "AsymmetricAutoencoderKL": Facts(spatial=_halvings("down_block_out_channels")),
    "AutoencoderDC": Facts(encode=lambda network, media: network.encode(media).latent),
    "AutoencoderKL": Facts(spatial=_halvings("block_out_channels")),
    "AutoencoderKLCogVideoX": Facts(
        media="video",
        spatial=_halvings("block_out_channels"),
        # an even number of latents decodes to a frame more for each halving of time
        step=lambda network: 2 * int(network.config.temporal_compression_ratio),
    ),
    "AutoencoderKLCosmos": Facts(
        media="video", spatial=_config("spatial_compression_ratio"), step=_config("temporal_compression_ratio")
    ),
    "AutoencoderKLFlux2": Facts(spatial=_halvings("block_out_channels")),
    "AutoencoderKLHunyuanVideo": Facts(media="video", step=_temporal),
    "AutoencoderKLLTXVideo": Facts(media="video", decode=ltx_sample, step=_temporal),
    "AutoencoderKLMagvit": Facts(media="video", step=_temporal),
    "AutoencoderKLMochi": Facts(media="video", step=_temporal, inputs=lambda network: 3),  # it adds Fourier features itself
    "AutoencoderKLQwenImage": Facts(
        encode=mode_of_one, decode=sample_of_one, inputs=_config("input_channels"), channels=_config("z_dim")
    ),
    "AutoencoderKLTemporalDecoder": Facts(
        media="video", encode=mode_of_frames, decode=sample_of_frames, spatial=_halvings("block_out_channels")
    ),
    "AutoencoderKLWan": Facts(
        media="video",
        step=lambda network: 4,  # as its loop has it
        inputs=lambda network: network.config.in_channels // (network.config.patch_size or 1) ** 2,
        channels=_config("z_dim"),
    ),
    "AutoencoderOobleck": Facts(
        media="sound",
        spatial=lambda network: math.prod(network.config.downsampling_ratios),
        inputs=_config("audio_channels"),
        channels=_config("decoder_input_channels"),
        rate=_config("sampling_rate"),
    ),
    "AutoencoderTiny": Facts(
        encode=lambda network, media: network.encode(media).latents, spatial=_halvings("encoder_block_out_channels")
    ),
    "VQModel": Facts(
        encode=lambda network, media: network.encode(media).latents,
        decode=vq_sample,
        spatial=_halvings("block_out_channels"),
        channels=lambda network: int(network.config.vq_embed_dim or network.config.latent_channels),
    ),
}
