"""What a result depends on and what it took: settings as JSON takes them, versions, seconds."""

from __future__ import annotations

import platform
import time
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from typing import Any

import torch

from obvert import __version__


def versions() -> dict[str, str]:
    """Versions of Python, obvert and the libraries that do the arithmetic."""
    return {
        "python": platform.python_version(),
        "obvert": __version__,
        **{package: version(package) for package in ("torch", "transformers", "numpy", "pillow")},
    }


def clock(device: torch.device) -> float:
    """Seconds of a clock, read when the device has done all that it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type != "cpu":
        getattr(torch, device.type).synchronize()
    return time.perf_counter()


def describe(thing: Any) -> Any:
    """Settings as JSON takes them.

    Args:
        thing: a dataclass of settings, with others inside; models by name, tensors by shape.

    Returns:
        A dataclass as its fields, with its own name where it stands inside another.
    """
    return {f.name: _inside(getattr(thing, f.name)) for f in fields(thing)}


def _inside(value: Any) -> Any:
    if hasattr(value, "card"):
        return value.card.name
    if is_dataclass(value) and not isinstance(value, type):
        return {"name": type(value).__name__.lstrip("_")} | describe(value)
    if isinstance(value, dict):
        return {str(key): _inside(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_inside(one) for one in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return f"{type(value).__name__}{list(value.shape)}" if hasattr(value, "shape") else getattr(value, "__name__", repr(value))
