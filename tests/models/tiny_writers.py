"""Tiny random writers: text-to-image pipelines in diffusers' own code, and synthesisers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny_pipelines
import torch
from tiny_synthesisers import Truth, fastspeech2, fastspeech2_beside, speecht5, vits, vits_without_blanks
from torch import Tensor

from obvert.core.diffusion import draw_noise

STEPS, SEED = 3, 5


def of_pipeline(pipeline: Any, folder: Path, guidance: float, shape: tuple[int, ...] = (4, 4, 4)) -> Truth:
    """A pipeline of diffusers."""
    packs, kind = hasattr(pipeline, "_pack_latents"), type(pipeline)
    side = shape[1] * pipeline.vae_scale_factor
    noise = draw_noise(shape, 1, SEED)
    free = {} if packs else {"do_classifier_free_guidance": False}
    pooled_length = pipeline.transformer.config.pooled_projection_dim if pipeline.config.get("transformer") else 0

    def drawn(call: Any, *, kind_of_output: str, **told: Any) -> Any:
        latents = pipeline._pack_latents(noise, 1, *shape) if packs else noise
        given = {"num_inference_steps": STEPS, "guidance_scale": guidance, "height": side, "width": side}
        return call(pipeline, latents=latents, output_type=kind_of_output, **given, **told).images

    def told(texts: list[str]) -> Tensor:
        others = {"prompt_2": None, "prompt_3": None} if "Diffusion3" in kind.__name__ else {}
        with torch.no_grad():
            hidden, *rest = pipeline.encode_prompt(texts, device="cpu", num_images_per_prompt=1, **others, **free)
        pooled = [part for part in rest if part is not None and part.shape == (len(texts), pooled_length)]
        return torch.cat((hidden.flatten(1), pooled[0]), dim=1) if pooled else hidden

    def decoded(prompts: Tensor) -> Tensor:
        if pooled_length:
            width = pipeline.transformer.config.joint_attention_dim
            given = {"prompt_embeds": prompts[:, :-pooled_length].unflatten(1, (-1, width))}
            given["pooled_prompt_embeds"] = prompts[:, -pooled_length:]
        else:
            given = {"prompt_embeds": prompts}
        z = drawn(kind.__call__.__wrapped__, kind_of_output="latent", **given)
        if packs:
            z = pipeline._unpack_latents(z, side, side, pipeline.vae_scale_factor)
        settings = pipeline.vae.config
        return pipeline.vae.decode(z / settings.scaling_factor + (settings.shift_factor or 0)).sample / 2 + 0.5

    def written(text: str) -> Tensor:
        return drawn(kind.__call__, kind_of_output="pt", prompt=text)[0]

    texts = ("a red circle", "a large blue moon")
    step = 1e-4 if any("T5" in type(part).__name__ for part in pipeline.components.values()) else 1e-5
    return Truth(folder=folder, guidance=guidance, told=told, written=written, texts=texts, decoded=decoded, step=step)


def zoo(folder: Path) -> Truth:
    from diffusers import StableDiffusionPipeline

    from obvert.hub import ZOO

    folder = ZOO / "diffusion"
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)
    return of_pipeline(pipeline, folder, 3.0, (4, 8, 8))


def stable_diffusion(folder: Path) -> Truth:
    pipeline = tiny_pipelines.stable_diffusion(folder, prediction_type="v_prediction")
    return of_pipeline(pipeline, folder, 3.0)


def stable_diffusion_3(folder: Path, t5: bool = False) -> Truth:
    pipeline = tiny_pipelines.stable_diffusion_3(folder, t5=t5, shift=3.0)
    return of_pipeline(pipeline, folder, 3.0)


def stable_diffusion_3_t5(folder: Path) -> Truth:
    return stable_diffusion_3(folder, t5=True)


def flux(folder: Path) -> Truth:
    pipeline = tiny_pipelines.flux(folder, guided=True, use_dynamic_shifting=True)
    return of_pipeline(pipeline, folder, 3.5)


def flux_schnell(folder: Path) -> Truth:
    pipeline = tiny_pipelines.flux(folder, guided=False, shift=1.0)
    return of_pipeline(pipeline, folder, 1.0)


FAMILIES: dict[str, Callable[[Path], Truth]] = {
    "diffusion: Stable Diffusion": stable_diffusion,
    "diffusion: Stable Diffusion 3": stable_diffusion_3,
    "diffusion: Stable Diffusion 3 with a T5": stable_diffusion_3_t5,
    "diffusion: Flux dev": flux,
    "diffusion: Flux schnell": flux_schnell,
    "diffusion: of the zoo": zoo,
    "vits": vits,
    "vits: without blanks": vits_without_blanks,
    "speecht5": speecht5,
    "fastspeech2-conformer": fastspeech2,
    "fastspeech2-conformer: vocoder beside": fastspeech2_beside,
}
"""Each begins with the name of its family."""
