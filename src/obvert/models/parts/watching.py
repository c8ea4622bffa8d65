"""Layers of a network by name: their outputs watched, their inputs kept and they themselves run again, for less memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from obvert.core import ObvertError, Reader

PICTURES = ("pixel_values", "mm_encoder_outputs", "past_key_values", "cache")
"""What a network takes of pictures, or of a run before that had them, which newer transformers call a cache."""


def named(network: Any, patterns: Sequence[str], name: str) -> Iterator[str]:
    """Names of the layers that match, pattern by pattern, in the order of the network; ObvertError where one matches none."""
    there = [layer for layer, _ in network.named_modules()]
    for pattern in patterns:
        some = [layer for layer in there if re.fullmatch(pattern, layer)]
        if not some:
            raise ObvertError(f"need layers that match {pattern!r} in {name}, got none")
        yield from some


def place(network: Any, part: Any) -> str:
    """Name of a part of the network."""
    (found,) = (name for name, module in network.named_modules() if module is part)
    return str(found)


def rows(out: Tensor, each: int) -> Tensor:
    """Output of a layer as the tokens of each sample.

    Args:
        out: (B * T, N, d) or (B * T, d, h, w), where a sample is T pictures, or (B * N, d) or (B * N, d, 1, 1, 1), where it is
            N patches.
        each: T or N.

    Returns:
        (B, T * N, d), or (B, N, d).
    """
    tokens = out.flatten(2).mT if out.ndim >= 4 else out
    return tokens.reshape(len(out) // each, -1, tokens.shape[-1])


@contextmanager
def watched(network: Any, parts: Mapping[str, int], names: Sequence[str], name: str) -> Iterator[dict[str, Tensor]]:
    """Within, each run of a part of the network leaves the outputs of these of its layers, as tokens of each sample.

    Args:
        network: the model.
        parts: names of its parts, and how many rows of the outputs of their layers belong to one sample.
        names: of the layers.
        name: of the model, for the error.

    Yields:
        {layer: (B, N, d)}, of the last run.

    Raises:
        ObvertError: for a layer that the network does not have, or that lies in none of the parts.
    """
    seen: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    within = {layer: [part for part in parts if layer.startswith(f"{part}.")] for layer in names}
    if lacking := [layer for layer in names if layer not in modules or not within[layer]]:
        raise ObvertError(f"need layers of {name}, got {', '.join(lacking)}")

    def begin(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if not any(kwargs.get(key) is not None for key in PICTURES):  # a run without pictures: its tower does not begin
            seen.clear()

    def keep(layer: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, args: Any, out: Any) -> None:
            if layer not in seen:  # a second time is the backward pass of a checkpoint
                seen[layer] = rows(out[0] if isinstance(out, tuple) else out, parts[within[layer][0]])

        return hook

    def anew(part: str) -> Callable[[Any, Any], None]:
        def hook(module: Any, args: Any) -> None:
            for layer in names:
                if part in within[layer]:
                    seen.pop(layer, None)

        return hook

    with ExitStack() as stack:
        stack.callback(network.register_forward_pre_hook(begin, with_kwargs=True).remove)
        for part in parts:
            stack.callback(modules[part].register_forward_pre_hook(anew(part)).remove)
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


def layered(reader: Reader, network: Any, patterns: Sequence[str], language: Any = None) -> Reader:
    """A reader whose layers can be watched, and run again.

    Args:
        reader: one without.
        network: its network.
        patterns: of the names of the layers of its image tower to watch; two layers or more match.
        language: its language model, where its layers are to be watched, too.

    Returns:
        The reader.

    Raises:
        ObvertError: when a pattern matches no layer.
    """
    name, shape = reader.card.name, reader.features.shape
    spoken: tuple[str, ...] = ()
    found = tuple(named(network, patterns, name))
    parts = {above(found): 1 if len(shape) == 3 else shape[0]}  # a picture is one row, or one for each of its tiles or patches
    if language is not None:
        inside = place(network, language)
        spoken, parts = tuple(named(network, [rf"{re.escape(inside)}(\..*)?\.layers\.\d+"], name)), parts | {inside: 1}
    return replace(
        reader,
        layers=found,
        language_layers=spoken,
        watch=lambda names: watched(network, parts, names, name),
        checkpointed=lambda: checkpointed(network),
    )
