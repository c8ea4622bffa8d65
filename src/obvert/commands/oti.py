"""Invert pictures to pseudo-tokens (OTI): features and tokens as safetensors and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from torch import Tensor

from obvert.commands._common import ModelOptions, parse
from obvert.commands._invert import invert
from obvert.core import DualEncoder
from obvert.io import read_images
from obvert.methods.oti import OTI


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Find, for each picture, the pseudo-tokens whose text feature matches it."""

    pictures: tyro.conf.Positional[tuple[Path, ...]]
    """Picture files."""
    out: Path
    """Folder to write: tensors.safetensors, about.json."""
    method: OTI = field(default_factory=OTI)
    plateau: bool = False
    """Stop each picture when its error has stopped falling fast."""
    seed: int = 0
    """Of the start."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the results as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "oti")

    def features(model: DualEncoder) -> tuple[list[str], Tensor]:
        return [str(p) for p in options.pictures], model.image_features(read_images(list(options.pictures)))

    return invert(options, features)
