"""Write a trained zoo model as a folder that `obvert.load` takes: half precision, tokenizer, preprocessor, card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch


def export(
    model: Any, tokenizer: Any, preprocessor: dict[str, Any], recipe: Any, folder: Path, *, minutes: float, temperature: float
) -> dict[str, Any]:
    """Write a dual encoder of the zoo and examine what was written.

    Args:
        model: the trained model; turned to half precision.
        tokenizer: its tokenizer.
        preprocessor: its preprocessor_config.json.
        recipe: the dataclass that trained it.
        folder: written into; must be there.
        minutes: of training, for the card.
        temperature: the model's softmax or sigmoid temperature, for the card.

    Returns:
        The card: data, recipe, minutes, held-out scores.
    """
    from obvert.models import load_dual
    from obvert.zoo.exam import examine, kinds

    model.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=1))
    card: dict[str, Any] = {"licence": "Apache-2.0", "data": "Scenes, drawn by obvert", "recipe": asdict(recipe)}
    card |= {"torch": torch.__version__, "minutes": round(minutes, 1), "temperature": round(temperature, 4), "names": kinds()}
    (folder / "card.json").write_text(json.dumps(card, indent=1))
    card["scores"] = examine(load_dual(str(folder), device="cpu"))
    (folder / "card.json").write_text(json.dumps(card, indent=1))
    return card
