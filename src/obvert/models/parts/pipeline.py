"""Read the parts of a pipeline folder that diffusers wrote, and the walk that its scheduler's settings mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import ObvertError, Schedule
from obvert.core.diffusion import Prediction
from obvert.models.parts.folder import hush, read_model, read_tokenizer
from obvert.registry import unknown

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
    return model.requires_grad_(False).eval()


def read_text(
    class_name: str, folder: Path, number: str, device: torch.device, dtype: torch.dtype, length: int | None = None
) -> tuple[Any, Callable[[list[str]], Tensor]]:
    """A text tower of a pipeline and its tokenizer.

    Args:
        class_name: of transformers.
        folder: of the pipeline.
        number: "" for the first, "_2" for the second, "_3" for the third.
        device: where it runs.
        dtype: of its weights.
        length: tokens that captions are cut and padded to; as many as the tokenizer says when None.

    Returns:
        The tower, and captions -> token ids (B, length) on its device.
    """
    tower = read_model(class_name, folder / f"text_encoder{number}").to(device, dtype)
    tokenizer = read_tokenizer(folder / f"tokenizer{number}")
    most = length or tokenizer.model_max_length

    def tokens(captions: list[str]) -> Tensor:
        ids: Tensor = tokenizer(captions, padding="max_length", max_length=most, truncation=True, return_tensors="pt").input_ids
        return ids.to(device)

    return tower, tokens


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


def flow_walk(folder: Path, tokens: int) -> Callable[[int], Schedule]:
    """The walk of a rectified flow under the settings of a FlowMatchEulerDiscreteScheduler.

    Args:
        folder: of the pipeline.
        tokens: patches of a picture, on which some settings let the shift of times depend.

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
    low, high = settings.get("base_shift", 0.5), settings.get("max_shift", 1.16)
    shift = low + (high - low) * (tokens - few) / (many - few)

    def schedule(steps: int) -> Schedule:
        if steps < 1:
            raise ObvertError(f"need at least 1 step, got {steps}")
        scheduler.set_timesteps(steps, mu=shift if scheduler.config.use_dynamic_shifting else None)
        s = scheduler.sigmas.double()
        return Schedule(times=scheduler.timesteps.clone(), signal=1 - s, noise=s)

    return schedule


def _rest(signal: Tensor) -> Tensor:
    """s = sqrt(1 - a^2)."""
    return (1 - signal * signal).clamp(min=0).sqrt()
