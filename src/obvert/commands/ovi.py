"""Invert texts to pseudo-patches (OVI): features and patches as safetensors and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from torch import Tensor

from obvert.commands._common import ModelOptions, parse
from obvert.commands._invert import invert
from obvert.core import DualEncoder
from obvert.methods.ovi import OVI


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Find, for each text, the pseudo-patches whose image feature matches it."""

    texts: tyro.conf.Positional[tuple[str, ...]]
    """Texts."""
    out: Path
    """Folder to write: tensors.safetensors, about.json."""
    method: OVI = field(default_factory=OVI)
    plateau: bool = False
    """Stop each text when its error has stopped falling fast."""
    seed: int = 0
    """Of the start."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the results as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "ovi")

    def features(model: DualEncoder) -> tuple[list[str], Tensor]:
        return list(options.texts), model.text_features(options.texts)

    return invert(options, features)
