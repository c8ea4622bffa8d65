"""The one training loop of the zoo: warm-up and cosine, bf16 autocast, checkpointed, resumable, with progress."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Report = Callable[[int, int, float], None]
"""Called with (step, steps, loss) now and then."""


def fit(
    model: nn.Module,
    loss: Callable[[int], Tensor],
    *,
    steps: int,
    lr: float,
    folder: Path,
    weight_decay: float = 0.05,
    warmup: int = 100,
    every: int = 100,
    report: Report | None = None,
) -> float:
    """Train a model, or go on with a training that was interrupted.

    Args:
        model: trained in place; its parameters with `requires_grad`.
        loss: step -> scalar. It must depend on the step alone, so that a resumed training sees the same batches.
        steps: how many in all.
        lr: highest learning rate of AdamW.
        folder: where checkpoints lie; a training found there is resumed.
        weight_decay: of AdamW, on matrices only.
        warmup: steps over which the rate rises.
        every: steps between two checkpoints.
        report: progress.

    Returns:
        Minutes of training, earlier sittings included.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    flat = [p for p in named.values() if p.ndim < 2]
    matrices = [p for p in named.values() if p.ndim >= 2]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": weight_decay}, {"params": flat, "weight_decay": 0.0}], lr=lr, betas=(0.9, 0.98)
    )
    first, minutes = _resume(folder, named, optimiser)
    device = next(model.parameters()).device
    for group in optimiser.param_groups:
        group["lr"] = lr
    began = time.perf_counter()
    for step in range(first, steps):
        rate = lr * min(1, (step + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, torch.bfloat16):
            value = loss(step)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(named.values(), 1.0)
        optimiser.step()
        if report and (step % 10 == 0 or step + 1 == steps):
            report(step + 1, steps, value.item())
        if (step + 1) % every == 0 or step + 1 == steps:
            _checkpoint(folder, named, optimiser, step + 1, minutes + (time.perf_counter() - began) / 60)
    return minutes + (time.perf_counter() - began) / 60


def _checkpoint(folder: Path, named: dict[str, nn.Parameter], optimiser: torch.optim.Optimizer, step: int, minutes: float) -> None:
    """Write everything to a side file, then move it into place: an interruption leaves the last one whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, parameter in named.items():
        state = optimiser.state[parameter]
        tensors[f"weight/{name}"] = parameter.detach().contiguous()
        tensors[f"mean/{name}"] = state["exp_avg"].contiguous()
        tensors[f"square/{name}"] = state["exp_avg_sq"].contiguous()
    side = folder / "checkpoint.part"
    save_file(tensors, side, metadata={"progress": json.dumps({"step": step, "minutes": minutes})})
    side.replace(folder / "checkpoint.safetensors")


def _resume(folder: Path, named: dict[str, nn.Parameter], optimiser: torch.optim.Optimizer) -> tuple[int, float]:
    """Step and minutes of the checkpoint in this folder, loaded; (0, 0) when there is none."""
    from safetensors import safe_open

    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return 0, 0.0
    with safe_open(path, framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
    tensors = load_file(path)
    if {name.removeprefix("weight/") for name in tensors if name.startswith("weight/")} != set(named):
        raise ValueError(f"the checkpoint in {folder} is of another model; give another --out or remove it")
    for name, parameter in named.items():
        parameter.data.copy_(tensors[f"weight/{name}"])
        optimiser.state[parameter] = {
            "step": torch.tensor(float(progress["step"])),
            "exp_avg": tensors[f"mean/{name}"].to(parameter.device),
            "exp_avg_sq": tensors[f"square/{name}"].to(parameter.device),
        }
    return int(progress["step"]), float(progress["minutes"])
