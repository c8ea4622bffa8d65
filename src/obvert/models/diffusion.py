"""Text-to-image pipelines of diffusers: Stable Diffusion 1 and 2, Stable Diffusion 3, Flux, zoo/diffusion.

The parts are read one by one in their own classes, so that nothing but weights and settings is taken from a folder;
the sampler is ours and gives the latents that diffusers' own pipeline gives with DDIM, or Euler for a flow. The text towers
read embeddings of tokens besides captions; `obvert.core.drawing.as_writer` makes a writer of that.

References:
    | High-Resolution Image Synthesis with Latent Diffusion Models (Rombach et al., 2022)
    | https://arxiv.org/abs/2112.10752
    | Scaling Rectified Flow Transformers for High-Resolution Image Synthesis (Esser et al., 2024)
    | https://arxiv.org/abs/2403.03206
    | FLUX.1 (Black Forest Labs, 2024)
    | https://github.com/black-forest-labs/flux
"""

from __future__ import annotations

from pathlib import Path

import torch

from obvert.core import Card, Diffusion, ObvertError
from obvert.models.parts.flux import flux
from obvert.models.parts.pipeline import read_json
from obvert.models.parts.stable_diffusion import stable_diffusion
from obvert.models.parts.stable_diffusion_3 import stable_diffusion_3
from obvert.registry import unknown

PIPELINES = {
    "StableDiffusionPipeline": stable_diffusion,
    "StableDiffusion3Pipeline": stable_diffusion_3,
    "FluxPipeline": flux,
}
"""diffusers' class -> what makes a model of its folder."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Diffusion:
    """Load a pipeline from a local folder.

    Args:
        folder: with model_index.json and a folder a part, in safetensors.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The model, frozen, in eval mode.

    Raises:
        ObvertError: for a pipeline of another class, or broken files.
    """
    kind = str(read_json(folder / "model_index.json").get("_class_name", "nothing"))
    if kind not in PIPELINES:
        raise ObvertError(unknown("pipeline", kind, list(PIPELINES)) + f" (in {folder})")
    return PIPELINES[kind](folder, card, device, dtype)
