"""Held-out scores of an embedded dual encoder on Scenes it never saw; they go on its card."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from obvert.core import DualEncoder
from obvert.zoo.draw import draw
from obvert.zoo.scenes import COLOURS, SHAPES, Mention, Scene, caption, sample

HELD_OUT = 900_000
"""Seeds from here on are never trained on; validation takes the even ones, tests the odd ones."""


def kinds() -> list[str]:
    """The 64 kinds of thing, colour by shape: "red circle", "red square", ..."""
    return [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]


def kind(scene: Scene) -> int:
    """Index into `kinds()` of a scene's first thing."""
    return COLOURS.index(scene.things[0].colour) * len(SHAPES) + SHAPES.index(scene.things[0].shape)


def pictures(scenes: list[Scene]) -> list[Tensor]:
    """Scenes drawn as pictures (3, 64, 64) in [0, 1]."""
    return list(draw(scenes).float() / 255)


def examine(model: DualEncoder, *, count: int = 1024, rounds: int = 16) -> dict[str, Any]:
    """Examine a dual encoder.

    Args:
        model: the model.
        count: single-thing scenes for zero-shot classification.
        rounds: times that 64 two-thing scenes are matched with their 64 captions.

    Returns:
        zero_shot (64 kinds), colour, shape, pairs (caption picked among 64 distinct ones) as shares; modality_gap,
        linear_separability.
    """
    from obvert.metrics import linear_separability, modality_gap

    scenes = sample(count, HELD_OUT + 1, things=1)
    image = model.image_features(pictures(scenes))
    names = model.text_features([caption_of(name) for name in kinds()])
    right = torch.tensor([kind(scene) for scene in scenes], device=image.device)
    said = (image @ names.T).argmax(1)
    matched = [_pairs(model, HELD_OUT + 3 + 2 * i) for i in range(rounds)]
    partial = model.text_features([caption(scene) for scene in scenes])
    return {
        "zero_shot": _share(said == right),
        "colour": _share(said // 8 == right // 8),
        "shape": _share(said % 8 == right % 8),
        "pairs": _share(torch.cat(matched)),
        "modality_gap": round(modality_gap(image.cpu(), partial.cpu()), 4),
        "linear_separability": round(linear_separability(image.cpu(), partial.cpu()), 4),
    }


def caption_of(name: str) -> str:
    """A kind as a caption."""
    return f"a photo of {'an' if name[0] in 'aeiou' else 'a'} {name}"


def _pairs(model: DualEncoder, seed: int) -> Tensor:
    """For 64 two-thing scenes with distinct captions: was each one's own caption the nearest of the 64?"""
    chosen: dict[str, Scene] = {}
    for scene in sample(256, seed, things=2):
        chosen.setdefault(caption(scene, Mention(size=False, texture=False, tone=False)), scene)
    texts = list(chosen)[:64]
    image = model.image_features(pictures([chosen[text] for text in texts]))
    return (image @ model.text_features(texts).T).argmax(1).cpu() == torch.arange(len(texts))


def _share(right: Tensor) -> float:
    return round(right.double().mean().item(), 4)
