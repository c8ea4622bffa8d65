"""zoo/captioner and zoo/captioner-2: small BLIP captioners trained on Scenes, in transformers' own BlipForConditionalGeneration.

Captions name every thing's colour and shape and how two things lie; size, texture and tone now and then, less often than
not, so that the most likely caption is short: "a red circle", "a red circle left of a blue ring". The second one has another
width, another depth and another seed, and saw other scenes: it judges what is found by inverting the first.

References:
    | BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language Understanding and Generation (Li et al., 2022)
    | https://arxiv.org/abs/2201.12086
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from obvert.zoo.draw import draw
from obvert.zoo.exam import HELD_OUT, pictures
from obvert.zoo.scenes import COLOURS, OPPOSITE, SHAPES, SIDE, Mention, Scene, caption, sample, vocabulary
from obvert.zoo.training import Report, fit
from obvert.zoo.words import POSITIONS, SPECIAL, shared_tokenizer, tokenizer

OFTEN = 0.25
"""Chance of a caption to say size, texture or tone, each."""
PREPROCESSOR = {
    "image_processor_type": "BlipImageProcessor",
    "do_resize": True,
    "size": {"height": SIDE, "width": SIDE},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


@dataclass(frozen=True, kw_only=True)
class CaptionerRecipe:
    """How the embedded captioners are made."""

    width: int = 128
    """Of both towers; heads of 64 numbers."""
    layers: tuple[int, int] = (4, 2)
    """Of the picture's tower and of the decoder."""
    patch: int = 8
    """Edge of a patch in pixels."""
    steps: int = 1800
    """Steps of training."""
    batch: int = 256
    """Pairs in a step."""
    lr: float = 2e-3
    """Highest learning rate of AdamW, ten times that for Muon; 100 steps of warm-up, then a cosine."""
    pool: int = 32768
    """Scenes drawn beforehand; every pass over them says other parts of each scene."""
    seed: int = 0
    """Of the weights, the scenes and the order."""

    def __post_init__(self) -> None:
        if self.steps < 1 or not 2 <= self.batch <= self.pool or self.seed < 0:
            raise ValueError(f"need steps >= 1, 2 <= batch <= pool and seed >= 0, got {self}")

    def build(self) -> Any:
        """The untrained model."""
        from transformers import BlipConfig, BlipForConditionalGeneration

        size = {"hidden_size": self.width, "intermediate_size": 4 * self.width, "num_attention_heads": self.width // 64}
        vision = {**size, "num_hidden_layers": self.layers[0], "image_size": SIDE, "patch_size": self.patch}
        text = {
            **size,
            "num_hidden_layers": self.layers[1],
            "encoder_hidden_size": self.width,
            "vocab_size": len(SPECIAL) + len(vocabulary()),
            "max_position_embeddings": POSITIONS,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 3,
            "sep_token_id": 3,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "label_smoothing": 0.0,
        }
        vision |= {"initializer_range": 0.02, "hidden_act": "gelu"}
        return BlipForConditionalGeneration(BlipConfig(vision_config=vision, text_config=text, projection_dim=64))

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the model (fp32, eval) and the minutes it took."""
        torch.manual_seed(self.seed)
        model = self.build()
        scenes = sample(self.pool, seed=self.seed + 1)
        drawn = draw(scenes)

        def loss(step: int) -> Tensor:
            rng = np.random.default_rng([self.seed, step])
            rows = rng.choice(len(scenes), self.batch, replace=False)
            texts = [caption(scenes[i], mention(rng)) for i in rows]
            return likelihood(model, drawn[torch.from_numpy(rows)].float() / 127.5 - 1, texts)

        minutes = fit(model.train(), loss, steps=self.steps, lr=self.lr, folder=folder, recipe=repr(self), report=report)
        return model.eval(), minutes

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model as a folder that `obvert.load` takes, half precision, with its card."""
        from obvert.models import load_reader

        model.generation_config.max_length = POSITIONS
        model.half().save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o644)
        tokenizer().save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=1))
        card: dict[str, Any] = {"licence": "Apache-2.0", "data": "Scenes, drawn by obvert", "recipe": asdict(self)}
        card |= {"torch": torch.__version__, "minutes": round(minutes, 1)}
        (folder / "card.json").write_text(json.dumps(card, indent=1))
        card["scores"] = examine(load_reader(str(folder), device="cpu"))
        (folder / "card.json").write_text(json.dumps(card, indent=1))
        return card


def mention(rng: np.random.Generator) -> Mention:
    """What a caption says: colours, shapes and the relation always, the rest now and then."""
    said = rng.random(4)
    return Mention(
        size=bool(said[0] < OFTEN), texture=bool(said[1] < OFTEN), tone=bool(said[2] < OFTEN), second_first=bool(said[3] < 0.5)
    )


def likelihood(model: Any, pixels: Tensor, texts: list[str]) -> Tensor:
    """Mean cross-entropy of the captions' tokens, the end token included."""
    read = shared_tokenizer()(texts, padding=True, truncation=True, max_length=POSITIONS, return_tensors="pt")
    ids, mask = read["input_ids"], read["attention_mask"]
    found = model(pixel_values=pixels, input_ids=ids[:, :-1], attention_mask=mask[:, :-1]).logits.float()
    return F.cross_entropy(found.transpose(1, 2), ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100))


def plain(scene: Scene) -> set[str]:
    """The captions that say colours, shapes and the relation, nothing else; both orders of two things."""
    orders = [Mention(size=False, texture=False, tone=False, second_first=turned) for turned in (False, True)]
    return {caption(scene, order) for order in orders}


def examine(model: Any, count: int = 512) -> dict[str, float]:
    """Held-out scores of a captioner.

    Args:
        model: an `obvert.core.Reader` of pictures.
        count: scenes of one thing, and as many of two.

    Returns:
        Shares of scenes: `single` (colour and shape of one thing), `pair` (both of both and the relation).
    """
    single = sample(count, HELD_OUT + 1, things=1)
    said = [text for part in _parts(pictures(single)) for text in model.read(part)]
    right = [named(text) == [(s.things[0].colour, s.things[0].shape)] for text, s in zip(said, single, strict=True)]
    pairs = sample(count, HELD_OUT + 3, things=2)
    told = [text for part in _parts(pictures(pairs)) for text in model.read(part)]
    both = [agrees(text, scene) for text, scene in zip(told, pairs, strict=True)]
    return {"single": round(float(np.mean(right)), 4), "pair": round(float(np.mean(both)), 4)}


def named(text: str) -> list[tuple[str, str]]:
    """The colour and shape of each thing that a caption names, in its order."""
    words = text.split()
    colours = [word for word in words if word in COLOURS]
    shapes = [word for word in words if word in SHAPES]
    return list(zip(colours, shapes, strict=False)) if len(colours) == len(shapes) else []


def agrees(text: str, scene: Scene) -> bool:
    """Whether a caption names both things rightly, and how they lie."""
    kinds = [(thing.colour, thing.shape) for thing in scene.things]
    relation = scene.relation or ""
    turned = {tuple(kinds): relation, tuple(reversed(kinds)): OPPOSITE[relation]}
    wanted = turned.get(tuple(named(text)))
    return wanted is not None and f" {wanted} " in text


def _parts(given: list[Tensor], size: int = 128) -> list[list[Tensor]]:
    return [given[i : i + size] for i in range(0, len(given), size)]
