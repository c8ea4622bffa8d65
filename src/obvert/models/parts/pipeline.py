"""Read the parts of a pipeline folder that diffusers wrote, and the walk that its scheduler's settings mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from obvert.core import Autoencoder, Card, ObvertError, Schedule
from obvert.core.diffusion import Prediction
from obvert.models.parts.folder import hush
from obvert.registry import module, unknown

PREDICTIONS: dict[str, Prediction] = {"epsilon": "epsilon", "v_prediction": "velocity"}
"""diffusers' name of what a network predicts -> ours."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; ObvertError when it is not there or not one."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ObvertError(f"need a readable {path.name} in {path.parent}, got: {error}") from error
    if not isinstance(found, dict):
        raise ObvertError(f"need a JSON object in {path}, got a {type(found).__name__}")
    return found


def has(folder: Path, part: str) -> bool:
    """Whether a pipeline has that part; those it does without are [null, null] in its index."""
    return bool((read_json(folder / "model_index.json").get(part) or [None])[0])


def read_network(class_name: str, folder: Path, dtype: torch.dtype) -> Any:
    """A network of diffusers, eval mode, frozen; safetensors only.

    Args:
        class_name: of diffusers.
        folder: of the part.
        dtype: of its weights.

    Returns:
        The network.

    Raises:
        ObvertError: when the weights are missing, broken or incomplete.
    """
    import diffusers

    hush(diffusers)

    try:
        model, info = getattr(diffusers, class_name).from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            low_cpu_mem_usage=False,
            torch_dtype=dtype,
            output_loading_info=True,
        )
    except Exception as error:
        raise ObvertError(f"need a {class_name} in safetensors in {folder}, got: {str(error).splitlines()[0][:200]}") from error
    if info["missing_keys"]:
        raise ObvertError(f"the weights in {folder} lack {len(info['missing_keys'])} tensors, e.g. {info['missing_keys'][0]}")
    return model.to(dtype).requires_grad_(False).eval()  # without this, some classes stay in fp32


def read_autoencoder(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Autoencoder:
    """The autoencoder of a pipeline, of whatever class; arguments as for `load`. ObvertError for one that is not known."""
    found: Autoencoder = module("models", "autoencoder").load(
        folder / "vae", replace(card, name=f"{card.name}/vae", family="autoencoder"), device, dtype
    )
    return found


def latent_shape(network: Any) -> tuple[int, int, int]:
    """Of the latents that a network was trained for."""
    size = network.config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    return network.config.in_channels, height, width


def weights(autoencoder: Autoencoder, parts: dict[str, Any]) -> dict[str, Tensor]:
    """All weights of a pipeline, their names beginning with that of their part."""
    found = {f"vae.{key}": value for key, value in autoencoder.parameters().items()}
    for name, part in parts.items():
        found |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
    return found


def ddim_walk(folder: Path) -> tuple[Prediction, Callable[[int], Schedule]]:
    """The walk of DDIM under a scheduler's settings, whichever scheduler of the same family they were written for.

    diffusers' step is computed from t to t - T // K even where that is not the time it visits next ("linspace", and
    "trailing" where K does not divide T); those goals are kept, so that the latents are the same.

    Args:
        folder: of the pipeline.

    Returns:
        What the network predicts, and steps K -> the points, as StableDiffusionPipeline has them: no clipping, and
        times are offset by 1.

    Raises:
        ObvertError: for settings of another family.
    """
    from diffusers import DDIMScheduler

    settings = read_json(folder / "scheduler" / "scheduler_config.json")
    kind = settings.get("prediction_type", "epsilon")
    if kind not in PREDICTIONS or "beta_schedule" not in settings:
        raise ObvertError(unknown("prediction", kind, list(PREDICTIONS)) + f" in the scheduler of {folder}, with its betas")
    if settings.get("thresholding"):
        raise ObvertError(f"need a scheduler without thresholding in {folder}: it is not affine in what the network says")
    wanted = {name: value for name, value in settings.items() if not name.startswith("_")}
    scheduler = DDIMScheduler.from_config(wanted | {"clip_sample": False, "steps_offset": 1})
    signal = scheduler.alphas_cumprod.double().sqrt()
    final = scheduler.final_alpha_cumprod.double().sqrt()

    def schedule(steps: int) -> Schedule:
        total = len(signal)
        if not 1 <= steps < total:
            raise ObvertError(f"need 1 to {total - 1} steps, got {steps}")
        scheduler.set_timesteps(steps)
        times = scheduler.timesteps
        after = times - total // steps
        goal = torch.where(after >= 0, signal[after.clamp(min=0)], final)
        a = torch.cat((signal[times], goal[-1:]))
        return Schedule(times=times, signal=a, noise=_rest(a), goals=(goal, _rest(goal)))

    return PREDICTIONS[kind], schedule


def flow_walk(folder: Path, tokens: int, *, even: bool = False, most: float = 1.16) -> Callable[[int], Schedule]:
    """The walk of a rectified flow under the settings of a FlowMatchEulerDiscreteScheduler.

    Args:
        folder: of the pipeline.
        tokens: patches of a picture, on which some settings let the shift of times depend.
        even: before they are shifted, K times are 1, 1 - 1 / K .. 1 / K, as Flux has them; as the scheduler has them otherwise.
        most: shift for many patches where the settings do not tell.

    Returns:
        Steps K -> the points.

    Raises:
        ObvertError: for the settings of another scheduler.
    """
    from diffusers import FlowMatchEulerDiscreteScheduler

    settings = read_json(folder / "scheduler" / "scheduler_config.json")
    if settings.get("_class_name") != "FlowMatchEulerDiscreteScheduler" or settings.get("stochastic_sampling"):
        raise ObvertError(f"need a deterministic FlowMatchEulerDiscreteScheduler in {folder}, got {settings.get('_class_name')}")
    scheduler = FlowMatchEulerDiscreteScheduler.from_config(settings)
    few, many = settings.get("base_image_seq_len", 256), settings.get("max_image_seq_len", 4096)
    low, high = settings.get("base_shift", 0.5), settings.get("max_shift", most)
    shift = low + (high - low) * (tokens - few) / (many - few)

    def schedule(steps: int) -> Schedule:
        if steps < 1:
            raise ObvertError(f"need at least 1 step, got {steps}")
        given = {"sigmas": np.linspace(1, 1 / steps, steps)} if even else {}
        scheduler.set_timesteps(steps, mu=shift if scheduler.config.use_dynamic_shifting else None, **given)
        s = scheduler.sigmas.double()
        return Schedule(times=scheduler.timesteps.clone(), signal=1 - s, noise=s)

    return schedule


def _rest(signal: Tensor) -> Tensor:
    """s = sqrt(1 - a^2)."""
    return (1 - signal * signal).clamp(min=0).sqrt()
