"""Tiny random pipelines in diffusers' own classes, written as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from obvert.zoo.words import POSITIONS, SPECIAL, tokenizer, vocabulary


def text(kind: str, seed: int) -> Any:
    import transformers

    torch.manual_seed(seed)
    if kind == "T5EncoderModel":
        config = transformers.T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        return transformers.T5EncoderModel(config).eval()
    config = transformers.CLIPTextConfig(
        vocab_size=len(SPECIAL) + len(vocabulary()),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=POSITIONS,
        projection_dim=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
    )
    return getattr(transformers, kind)(config).eval()


def vae(shift: float | None = None, side: int = 32) -> Any:
    from diffusers import AutoencoderKL

    torch.manual_seed(3)
    blocks = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
    model = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=blocks[0],
        up_block_types=blocks[1],
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.7,
        shift_factor=shift,
        sample_size=side,
    )
    return model.eval()


def stable_diffusion(folder: Path, **scheduler: Any) -> Any:
    """A StableDiffusionPipeline, written and returned."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=4,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    settings = {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "clip_sample": False,
        "steps_offset": 1,
    }
    pipeline = StableDiffusionPipeline(
        vae=vae(),
        text_encoder=text("CLIPTextModel", 1),
        tokenizer=tokenizer(),
        unet=unet.eval(),
        scheduler=DDIMScheduler(**(settings | scheduler)),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _written(pipeline, folder)


def stable_diffusion_3(folder: Path, *, t5: bool, **scheduler: Any) -> Any:
    """A StableDiffusion3Pipeline, written and returned."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=4,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=16,
        pos_embed_max_size=8,
    )
    for parameter in transformer.proj_out.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    pipeline = StableDiffusion3Pipeline(
        vae=vae(0.1),
        transformer=transformer.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(**scheduler),
        text_encoder=text("CLIPTextModelWithProjection", 1),
        tokenizer=tokenizer(),
        text_encoder_2=text("CLIPTextModelWithProjection", 2),
        tokenizer_2=tokenizer(),
        text_encoder_3=text("T5EncoderModel", 4) if t5 else None,
        tokenizer_3=tokenizer() if t5 else None,
    )
    return _written(pipeline, folder)


def flux(folder: Path, *, guided: bool, **scheduler: Any) -> Any:
    """A FluxPipeline of 8 x 8 pictures, written and returned."""
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        guidance_embeds=guided,
        axes_dims_rope=(2, 2, 4),
    )
    pipeline = FluxPipeline(
        vae=vae(0.1, side=8),
        transformer=transformer.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(**scheduler),
        text_encoder=text("CLIPTextModel", 1),
        tokenizer=tokenizer(),
        text_encoder_2=text("T5EncoderModel", 4),
        tokenizer_2=tokenizer(),
    )
    return _written(pipeline, folder)


def _written(pipeline: Any, folder: Path) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return pipeline
