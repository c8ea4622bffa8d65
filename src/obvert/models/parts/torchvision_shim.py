"""Let torchvision import beside a torch that it was not compiled for.

PyPI's torchvision cannot load its compiled operators beside a CPU build of torch; its import then fails on the schema of
`nms`, and with it every import that looks whether torchvision is there, transformers' included. Nothing here calls those
operators: it is enough that their schemas are declared.
"""

from __future__ import annotations

import importlib.util
import sys

import torch

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []
"""Kept alive: a schema goes when its library does."""


def prepare() -> None:
    """Declare what torchvision lacks, once, before its first import; nothing where it is absent, whole or imported."""
    spec = None if _declared or "torchvision" in sys.modules else importlib.util.find_spec("torchvision")
    if spec is None or _loads(spec.submodule_search_locations):
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _declared.append(library)


def _loads(folders: list[str] | None) -> bool:
    """Whether torchvision's own operators load; loading twice is harmless."""
    from pathlib import Path

    for folder in folders or []:
        for file in sorted(Path(folder).glob("_C*.so")) + sorted(Path(folder).glob("_C*.pyd")):
            try:
                torch.ops.load_library(str(file))
            except (ImportError, OSError):
                continue
            return True
    return False
