"""Layers of a network by name: their outputs watched, their inputs kept and they themselves run again, for less memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from obvert.core import ObvertError, Reader


def named(network: Any, patterns: Sequence[str], name: str) -> Iterator[str]:
    """Names of the layers that match, pattern by pattern, in the order of the network; ObvertError where one matches none."""
    there = [layer for layer, _ in network.named_modules()]
    for pattern in patterns:
        some = [layer for layer in there if re.fullmatch(pattern, layer)]
        if not some:
            raise ObvertError(f"need layers that match {pattern!r} in {name}, got none")
        yield from some


def rows(out: Tensor, each: int) -> Tensor:
    """Output of a layer as the tokens of each sample.

    Args:
        out: (B * T, N, d) or (B * T, d, h, w), where a sample is T pictures, or (B * N, d), where it is N patches.
        each: T or N.

    Returns:
        (B, T * N, d), or (B, N, d).
    """
    tokens = out.flatten(2).mT if out.ndim == 4 else out
    return tokens.reshape(len(out) // each, -1, tokens.shape[-1])


@contextmanager
def watched(network: Any, tower: str, names: Sequence[str], each: int, name: str) -> Iterator[dict[str, Tensor]]:
    """Within, each run of the tower leaves the outputs of these layers, as tokens of each sample; layers beside it do so too.

    Args:
        network: the model.
        tower: its part that looks at pictures, as `above` finds it.
        names: of the layers.
        each: rows of the tower's outputs that belong to one sample; elsewhere it is one.
        name: of the model, for the error.

    Yields:
        {layer: (B, N, d)}, of the last run.

    Raises:
        ObvertError: for a layer that the network does not have.
    """
    seen: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    if lacking := [layer for layer in names if layer not in modules]:
        raise ObvertError(f"need layers of {name}, got {', '.join(lacking)}")

    def keep(layer: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, args: Any, out: Any) -> None:
            if layer not in seen:  # a second time is the backward pass of a checkpoint
                out = out[0] if isinstance(out, tuple) else out
                seen[layer] = rows(out, each if layer.startswith(tower) else 1)

        return hook

    with ExitStack() as stack:
        stack.callback(modules[tower].register_forward_pre_hook(lambda *_: seen.clear()).remove)
        for layer in names:
            stack.callback(modules[layer].register_forward_hook(keep(layer)).remove)
        yield seen


def above(layers: Sequence[str]) -> str:
    """Name of the innermost part of a network that all these layers, two or more, lie in; "" for the network."""
    parts = [layer.split(".") for layer in layers]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    return ".".join(parts[0][:shared])


@contextmanager
def checkpointed(network: Any) -> Iterator[None]:
    """Within, layers keep their inputs only, and run again in the backward pass.

    transformers does so in training alone, when dropout is on, too; here each layer is in training, and nothing within it.
    """
    from torch.utils.checkpoint import checkpoint
    from transformers.modeling_layers import GradientCheckpointingLayer

    again = {
        "training": True,
        "gradient_checkpointing": True,
        "_gradient_checkpointing_func": partial(checkpoint, use_reentrant=False),
    }
    before = []
    try:
        for layer in (module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)):
            own = vars(layer)
            settings = {**again, **{key: 0.0 for key, rate in own.items() if "dropout" in key and isinstance(rate, float)}}
            before.append((own, settings, {key: own[key] for key in settings if key in own}))
            own.update(settings)
        yield
    finally:
        for own, settings, old in before:
            for key in settings:
                del own[key]
            own.update(old)


def layered(reader: Reader, network: Any, patterns: Sequence[str]) -> Reader:
    """A reader whose image tower can be watched and whose layers can run again.

    Args:
        reader: one without.
        network: its network.
        patterns: of the names of the layers to watch; two layers or more match.

    Returns:
        The reader.

    Raises:
        ObvertError: when a pattern matches no layer.
    """
    name, shape = reader.card.name, reader.features.shape
    found = tuple(named(network, patterns, name))
    each = 1 if len(shape) == 3 else shape[0]  # a picture is one row, or one for each of its tiles or patches
    return replace(
        reader,
        layers=found,
        watch=lambda names: watched(network, above(found), names, each, name),
        checkpointed=lambda: checkpointed(network),
    )
