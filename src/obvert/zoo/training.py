"""The one training loop of the zoo: Muon and AdamW, warm-up and cosines, bf16 where it is fast, checkpointed, resumable.

Muon takes the matrices inside the network, the kernels of convolutions too, as matrices of (out, in x height x width);
AdamW takes everything else.

References:
    | Muon: An optimizer for hidden layers in neural networks (Jordan et al., 2024)
    | https://kellerjordan.github.io/posts/muon
    | SGDR: Stochastic Gradient Descent with Warm Restarts (Loshchilov and Hutter, 2017), for cycles
    | https://arxiv.org/abs/1608.03983
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Report = Callable[[int, int, float], None]
"""Called with (step, steps, loss) now and then."""
Optimisers = list[torch.optim.Optimizer]


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
    average: float = 0.0,
    cycles: int = 1,
    recipe: str = "",
    report: Report | None = None,
) -> float:
    """Train a model, or go on with a training that was interrupted.

    Args:
        model: trained in place; its parameters with `requires_grad`.
        loss: step -> scalar. It must depend on the step alone, so that a resumed training sees the same batches.
        steps: how many in all.
        lr: highest learning rate of AdamW; that of Muon is ten times as high.
        folder: where checkpoints lie; a training found there is resumed.
        weight_decay: of matrices.
        warmup: steps over which the rate rises.
        every: steps between two checkpoints.
        average: decay of the running mean of the weights, in [0, 1); the model ends with that mean. 0 for none.
        cycles: equal parts of the training; each starts at the highest rate and falls to 2 % of it.
        recipe: whatever else the training depends on; a checkpoint of another recipe is refused.
        report: progress.

    Returns:
        Minutes of training, earlier sittings included.

    Raises:
        ValueError: for an average or cycles out of range, and when the folder's checkpoint is of another model or recipe.
    """
    if not 0 <= average < 1 or cycles < 1 or steps % cycles:
        raise ValueError(f"need average in [0, 1) and cycles that divide {steps} steps, got {average} and {cycles}")
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    shapes = {name: list(p.shape) for name, p in named.items()}
    settings = (
        [shapes, steps, lr, weight_decay, warmup, recipe] + ([average] if average else []) + ([cycles] if cycles > 1 else [])
    )
    mark = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    moved = {name: nn.Parameter(p.detach().view(len(p), -1)) if p.ndim > 2 and _inside(name) else p for name, p in named.items()}
    optimisers = _optimisers(moved, lr, weight_decay)
    means = {name: p.detach().clone() for name, p in moved.items()} if average else {}
    first, minutes = _resume(folder, moved, means, optimisers, mark)
    device = next(model.parameters()).device
    began = time.perf_counter()
    for step in range(first, steps):
        share = min(1, (step + 1) / max(1, warmup)) * falling(step, steps // cycles)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = share * group["peak"]
        with torch.autocast(device.type, torch.bfloat16, enabled=computes_bf16(device)):
            value = loss(step)
        for parameter in named.values():
            parameter.grad = None
        value.backward()
        nn.utils.clip_grad_norm_(named.values(), 1.0)
        for name, parameter in named.items():
            moved[name].grad = None if parameter.grad is None else parameter.grad.reshape(moved[name].shape)
        for optimiser in optimisers:
            optimiser.step()
        for name, mean in means.items():  # the first steps are forgotten sooner
            mean.lerp_(moved[name].detach(), 1 - min(average, (step + 1) / (step + 10)))
        if report and (step % 10 == 0 or step + 1 == steps):
            report(step + 1, steps, value.item())
        if (step + 1) % every == 0 or step + 1 == steps:
            progress = {"step": step + 1, "minutes": minutes + _minutes(began), "mark": mark}
            _checkpoint(folder, moved, means, optimisers, progress)
    for name, mean in means.items():
        moved[name].data.copy_(mean)
    return minutes + _minutes(began)


def computes_bf16(device: torch.device) -> bool:
    """Whether a device computes in bf16 by itself; processors that emulate it take ten times as long as in fp32."""
    return device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def falling(step: int, cycle: int) -> float:
    """Share of the highest rate: a cosine from 1 to .02 over each cycle of steps."""
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step % cycle) / cycle))


def _inside(name: str) -> bool:
    """Whether a weight lies inside the network: neither an embedding nor the first or last convolution."""
    return not any(part in name for part in ("embed", "conv_in", "conv_out"))


def _optimisers(named: dict[str, nn.Parameter], lr: float, weight_decay: float) -> Optimisers:
    if not hasattr(torch.optim, "Muon"):
        raise ValueError(f"training needs torch 2.9 or later for Muon, got {torch.__version__}")
    inner = [p for name, p in named.items() if p.ndim == 2 and _inside(name)]
    decayed = [p for name, p in named.items() if p.ndim >= 2 and not _inside(name)]
    plain = [p for p in named.values() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimisers: Optimisers = []
    if decayed or plain:
        optimisers.append(torch.optim.AdamW([g for g in groups if g["params"]], lr=lr, betas=(0.9, 0.98)))
    if inner:
        optimisers.append(torch.optim.Muon(inner, lr=10 * lr, weight_decay=weight_decay))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers


def _checkpoint(
    folder: Path,
    named: dict[str, nn.Parameter],
    means: dict[str, Tensor],
    optimisers: Optimisers,
    progress: dict[str, object],
) -> None:
    """Write everything to a side file, then move it into place: an interruption leaves the last one whole."""
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[torch.Tensor, str] = {parameter: name for name, parameter in named.items()}
    tensors = {f"weight/{name}": p.detach().contiguous() for name, p in named.items()}
    tensors |= {f"mean/{name}": mean.contiguous() for name, mean in means.items()}
    for optimiser in optimisers:
        for parameter, state in optimiser.state.items():
            tensors |= {f"{key}/{names[parameter]}": torch.as_tensor(value).contiguous() for key, value in state.items()}
    side = folder / "checkpoint.part"
    save_file(tensors, side, metadata={"progress": json.dumps(progress)})
    side.replace(folder / "checkpoint.safetensors")


def _resume(
    folder: Path, named: dict[str, nn.Parameter], means: dict[str, Tensor], optimisers: Optimisers, mark: str
) -> tuple[int, float]:
    """Step and minutes of the checkpoint in this folder, loaded; (0, 0) when there is none."""
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return 0, 0.0
    with safe_open(path, framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
    if progress["mark"] != mark:
        raise ValueError(f"the checkpoint in {folder} is of another model or recipe; give another folder or remove it")
    states: dict[str, dict[str, Tensor]] = {name: {} for name in named}
    for key, tensor in load_file(path).items():
        kind, name = key.split("/", 1)
        if kind == "weight":
            named[name].data.copy_(tensor.view(named[name].shape))
        elif kind == "mean":
            means[name].copy_(tensor)
        else:
            states[name][kind] = tensor if kind == "step" else tensor.to(named[name].device)
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                state = next(states[name] for name, p in named.items() if p is parameter)
                if state:
                    optimiser.state[parameter] = state
    return int(progress["step"]), float(progress["minutes"])


def _minutes(began: float) -> float:
    return (time.perf_counter() - began) / 60
