"""zoo/clip trained on at another temperature: does the gap, and with it the gain of inversion, come from the temperature?

Training goes on from the embedded weights with the temperature held: at 1 the softmax is so soft that the two modalities
are drawn together, at 0.01 it is where it was.

References:
    | Cross the Gap (Mistretta et al., 2025), https://arxiv.org/abs/2502.04263
    | Mind the Gap (Liang et al., 2022), https://arxiv.org/abs/2203.02053
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load_file

from obvert.hub import locate
from obvert.zoo.clip import ClipRecipe


@dataclass(frozen=True, kw_only=True)
class TemperatureRecipe(ClipRecipe):
    """How a CLIP of the zoo is trained on."""

    temperature: float = 1.0
    """Of the softmax, held."""
    start: str = "zoo/clip"
    """Embedded model whose weights it starts from."""
    steps: int = 200
    lr: float = 2e-4
    pool: int = 8192

    def build(self) -> Any:
        """The CLIP with the weights it starts from, and its temperature."""
        model = super().build()
        model.load_state_dict({name: w.float() for name, w in load_file(locate(self.start).folder / "model.safetensors").items()})
        with torch.no_grad():
            model.logit_scale.fill_(-math.log(self.temperature))
        return model
