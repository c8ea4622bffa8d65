"""How a dual encoder of the zoo is made: scenes drawn beforehand, captions that say part of them, one loss, one folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from obvert.zoo.draw import draw
from obvert.zoo.export import export
from obvert.zoo.scenes import Scene, sample
from obvert.zoo.training import Report, fit
from obvert.zoo.words import say, tokenizer


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """A training on pairs of scenes and captions."""

    steps: int = 2800
    """Steps of training."""
    batch: int = 256
    """Pairs in a step."""
    lr: float = 2e-3
    """Highest learning rate of AdamW, ten times that for Muon; 100 steps of warm-up, then a cosine."""
    pool: int = 32768
    """Scenes drawn beforehand; every pass over them says other parts of each scene."""
    seed: int = 0
    """Of the weights, the scenes and the order."""
    preprocessor: ClassVar[dict[str, Any]]
    """Content of preprocessor_config.json."""

    def __post_init__(self) -> None:
        if self.steps < 1 or not 2 <= self.batch <= self.pool or self.seed < 0:
            raise ValueError(f"need steps >= 1, 2 <= batch <= pool and seed >= 0, got {self}")

    @abstractmethod
    def build(self) -> Any:
        """The untrained model, in its class of transformers."""

    @abstractmethod
    def loss(self, model: Any, pictures: Tensor, texts: list[str], rng: np.random.Generator) -> Tensor:
        """Scalar loss of a batch of matching pairs.

        Args:
            model: as `build` returned it.
            pictures: what `look` gives of B scenes.
            texts: B captions.
            rng: of whatever the loss draws.
        """

    def scenes(self) -> list[Scene]:
        """The scenes trained on."""
        return sample(self.pool, seed=self.seed + 1)

    def look(self, model: Any, scenes: list[Scene]) -> Callable[[Tensor], Tensor]:
        """What the loss takes of the scenes of these rows: their pictures, drawn beforehand, (B, 3, 64, 64) in [-1, 1]."""
        drawn = draw(scenes)
        return lambda rows: drawn[rows].float() / 127.5 - 1

    def tell(self, scenes: list[Scene], rng: np.random.Generator) -> list[str]:
        """A caption for each scene of a batch."""
        return say(scenes, rng)

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the model (fp32, eval) and the minutes it took."""
        torch.manual_seed(self.seed)
        model = self.build()
        model.set_attn_implementation("eager")  # on CPUs, much faster than the fused kernel at this size
        scenes = self.scenes()
        look = self.look(model, scenes)

        def loss(step: int) -> Tensor:
            rng = np.random.default_rng([self.seed, step])
            rows = rng.choice(len(scenes), self.batch, replace=False)
            texts = self.tell([scenes[i] for i in rows], rng)
            return self.loss(model, look(torch.from_numpy(rows)), texts, rng)

        minutes = fit(model.train(), loss, steps=self.steps, lr=self.lr, folder=folder, recipe=repr(self), report=report)
        return model.eval(), minutes

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model as a folder that `obvert.load` takes, half precision, with its card.

        Args:
            model: as `train` returned it.
            folder: written into; must be there.
            minutes: of training, for the card.

        Returns:
            The card: data, recipe, minutes, held-out scores.
        """
        copy = self.published()
        weights = model.state_dict()
        copy.load_state_dict({name: weights[name] for name in copy.state_dict()})
        temperature = 1 / model.logit_scale.detach().exp().item()
        return export(copy, tokenizer(), self.preprocessor, self, folder, minutes=minutes, temperature=temperature)

    def published(self) -> Any:
        """The model that is written; a recipe that trains more than it publishes says less here."""
        return self.build()
