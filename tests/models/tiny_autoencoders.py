"""Every autoencoder class of diffusers that obvert knows, tiny and random, with a medium that it takes."""

from __future__ import annotations

import warnings
from typing import Any

import torch


def _down(kind: str, count: int) -> dict[str, Any]:
    return {"down_block_types": (f"{kind}DownBlock3D",) * count, "up_block_types": (f"{kind}UpBlock3D",) * count}


FLAT = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2, "layers_per_block": 1}
SETTINGS: dict[str, dict[str, Any]] = {
    "AsymmetricAutoencoderKL": {
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "down_block_out_channels": (8, 16),
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "up_block_out_channels": (8, 24),
        "norm_num_groups": 4,
    },
    "AutoencoderDC": {
        "latent_channels": 4,
        "attention_head_dim": 2,
        "encoder_block_types": ("ResBlock", "EfficientViTBlock"),
        "decoder_block_types": ("ResBlock", "EfficientViTBlock"),
        "encoder_block_out_channels": (8, 8),
        "decoder_block_out_channels": (8, 8),
        "encoder_qkv_multiscales": ((), (5,)),
        "decoder_qkv_multiscales": ((), (5,)),
        "encoder_layers_per_block": (1, 1),
        "decoder_layers_per_block": (1, 1),
        "downsample_block_type": "Conv",
        "upsample_block_type": "interpolate",
        "decoder_norm_types": "rms_norm",
        "decoder_act_fns": "silu",
        "scaling_factor": 0.41407,
    },
    "AutoencoderKL": FLAT
    | {"block_out_channels": (8, 16), "norm_num_groups": 4, "scaling_factor": 1.5305, "shift_factor": 0.0609},
    "AutoencoderKLCogVideoX": _down("CogVideoX", 4)
    | {"block_out_channels": (8,) * 4, "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 2},
    "AutoencoderKLCosmos": {
        "latent_channels": 4,
        "encoder_block_out_channels": (8,) * 4,
        "decode_block_out_channels": (8,) * 4,
        "attention_resolutions": (8,),
        "resolution": 64,
        "num_layers": 1,
        "latents_mean": [0.01 * i for i in range(4 * 3)],
        "latents_std": [0.5 + 0.1 * i for i in range(4 * 3)],
    },
    "AutoencoderKLFlux2": FLAT | {"block_out_channels": (8, 16), "norm_num_groups": 4, "latent_channels": 4},
    "AutoencoderKLHunyuanVideo": _down("HunyuanVideo", 4)
    | {"block_out_channels": (8,) * 4, "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 4},
    "AutoencoderKLLTXVideo": {
        "latent_channels": 8,
        "block_out_channels": (8,) * 3,
        "down_block_types": ("LTXVideoDownBlock3D",) * 3,
        "decoder_block_out_channels": (8,) * 3,
        "layers_per_block": (1,) * 4,
        "decoder_layers_per_block": (1,) * 4,
        "spatio_temporal_scaling": (True, True, False),
        "decoder_spatio_temporal_scaling": (True, True, False),
        "decoder_inject_noise": (True,) * 4,
        "downsample_type": ("conv",) * 3,
        "upsample_residual": (False,) * 3,
        "upsample_factor": (1,) * 3,
        "timestep_conditioning": True,
        "patch_size": 1,
        "encoder_causal": True,
        "decoder_causal": False,
        "scaling_factor": 1.5,
    },
    "AutoencoderKLMagvit": {
        "block_out_channels": (8,) * 4,
        "down_block_types": ("SpatialDownBlock3D", *("SpatialTemporalDownBlock3D",) * 3),
        "up_block_types": ("SpatialUpBlock3D", *("SpatialTemporalUpBlock3D",) * 3),
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 2,
        "spatial_group_norm": False,
    },
    "AutoencoderKLMochi": {
        "latent_channels": 4,
        "encoder_block_out_channels": (32, 32, 32, 32),
        "decoder_block_out_channels": (32, 32, 32, 32),
        "layers_per_block": (1,) * 5,
        "latents_mean": (0.1, 0.2, -0.1, 0.0),
        "latents_std": (0.9, 1.1, 1.2, 0.8),
        "scaling_factor": 1.25,
    },
    "AutoencoderKLQwenImage": {"base_dim": 8, "z_dim": 16, "num_res_blocks": 1, "dim_mult": [1, 1, 1, 1]},
    "AutoencoderKLTemporalDecoder": {
        "block_out_channels": (32, 32),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
    },
    "AutoencoderKLWan": {"base_dim": 8, "z_dim": 16, "num_res_blocks": 1, "dim_mult": [1, 1, 1, 1]},
    "AutoencoderOobleck": {
        "encoder_hidden_size": 8,
        "downsampling_ratios": [2, 4],
        "channel_multiples": [1, 1],
        "decoder_channels": 4,
        "decoder_input_channels": 4,
    },
    "AutoencoderTiny": {
        "encoder_block_out_channels": (8, 8),
        "decoder_block_out_channels": (8, 8),
        "num_encoder_blocks": (1, 1),
        "num_decoder_blocks": (1, 1),
        "scaling_factor": 0.9,
        "shift_factor": 0.1,
    },
    "VQModel": FLAT | {"block_out_channels": (8, 16), "norm_num_groups": 4, "num_vq_embeddings": 12},
}
"""Name of a class -> how it is made small."""


def build(name: str, **settings: Any) -> Any:
    """The network, its weights drawn at random, with statistics that do something, and some settings changed."""
    import diffusers

    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        network = getattr(diffusers, name)(**SETTINGS[name] | settings)
    for name_, buffer in network.named_buffers():
        if name_ in ("latents_mean", "bn.running_mean"):
            buffer.copy_(0.1 * torch.randn_like(buffer))
        elif name_ in ("latents_std", "bn.running_var"):
            buffer.copy_(0.5 + torch.rand_like(buffer))
    return network.eval()
