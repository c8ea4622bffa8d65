"""Recipes of the zoo's models by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from obvert.zoo.canonical import CanonicalRecipe
from obvert.zoo.captioner import CaptionerRecipe
from obvert.zoo.clip import ClipRecipe
from obvert.zoo.diffusion import DiffusionRecipe
from obvert.zoo.recogniser import RecogniserRecipe
from obvert.zoo.siglip import SiglipRecipe
from obvert.zoo.slip import SlipRecipe
from obvert.zoo.speech import OTHER_ACCENTS, OTHER_VARIANTS
from obvert.zoo.synthesiser import SynthesiserRecipe
from obvert.zoo.temperature import TemperatureRecipe
from obvert.zoo.training import Report
from obvert.zoo.vae import VaeRecipe
from obvert.zoo.vae_tiny import TinyVaeRecipe
from obvert.zoo.vlm import VlmRecipe


class Trains(Protocol):
    """What `obvert zoo train` asks of a recipe: a frozen dataclass with `steps` and `seed`."""

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; the model and the minutes it took."""

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the model with its card."""


RECIPES: dict[str, Trains] = {
    "clip": ClipRecipe(),
    "clip-smallgap": ClipRecipe(learned_temperature=True),
    "clip-slip": SlipRecipe(),
    "clip-bag": CanonicalRecipe(),
    "clip-tau1": TemperatureRecipe(temperature=1.0),
    "clip-tau001": TemperatureRecipe(temperature=0.01),
    "siglip": SiglipRecipe(),
    "vae": VaeRecipe(),
    "vae-tiny": TinyVaeRecipe(),
    "diffusion": DiffusionRecipe(),
    "captioner": CaptionerRecipe(start="zoo/siglip", lr=1e-3),
    "captioner-2": CaptionerRecipe(start="zoo/clip", text_layers=3, steps=1600, lr=1e-3, seed=10),
    "speech-recogniser": RecogniserRecipe(),
    "speech-recogniser-2": RecogniserRecipe(
        accents=OTHER_ACCENTS, variants=OTHER_VARIANTS, width=112, layers=4, mels=64, steps=2000, cycles=2, seed=10
    ),
    "speech-synthesiser": SynthesiserRecipe(),
    "vlm": VlmRecipe(),
    "vlm-2": VlmRecipe(start="zoo/siglip", layers=2, heads=2, seed=10),
}
