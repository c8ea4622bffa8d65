"""Model families, one a file, named as transformers names them; `load` finds the right one.

A family's file has `load(located, card, device, dtype)`. Only the files here import transformers or open_clip.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import torch

from obvert.core import Card, DualEncoder, ObvertError
from obvert.hub import locate, weights_hash
from obvert.models.parts.torchvision_shim import prepare
from obvert.registry import module, names, unknown

prepare()  # before anything imports transformers
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(name: str, *, device: str = "auto", dtype: str = "float32") -> DualEncoder:
    """Load a frozen model.

    Args:
        name: "zoo/NAME", a local folder, a hub id "owner/name" with an optional "@revision", or
            "open_clip:NAME/TAG" and "open_clip:FOLDER" with the extra `openclip`.
        device: "auto", "cpu", "cuda" or "mps".
        dtype: "float32", "bfloat16" or "float16": what the frozen weights are cast to, once.

    Returns:
        The model, in eval mode, no weight requiring a gradient.

    Raises:
        ObvertError: for an unknown model, device or dtype; one line says what there is.
    """
    if dtype not in DTYPES:
        raise ObvertError(unknown("dtype", dtype, list(DTYPES)))
    place = find_device(device)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    if name.startswith("open_clip:"):
        return module("models", "open-clip").load(name.removeprefix("open_clip:"), place, DTYPES[dtype])
    located = locate(name)
    if (located.folder / "open_clip_config.json").exists() and not (located.folder / "config.json").exists():
        raise ObvertError(f"{name} is an open_clip folder; say open_clip:{name}")
    pipeline = (located.folder / "model_index.json").exists()
    try:
        config = {} if pipeline else json.loads((located.folder / "config.json").read_text())
        family = "diffusion" if pipeline else config.get("model_type", "nothing")
    except (OSError, ValueError) as error:
        raise ObvertError(f"need a readable config.json in {name}, got: {error}") from error
    known = [n for n in names("models") if n != "open-clip"]
    if family not in known:
        raise ObvertError(unknown("model type", family, known) + f" (in {name})")
    card = Card(name=name, family=family, revision=located.revision, sha256=weights_hash(located.folder))
    about = located.folder / "card.json"
    if about.exists():
        notes = json.loads(about.read_text())
        card = replace(card, licence=notes.get("licence", "unknown"), notes=notes)
    return module("models", family).load(located.folder, card, place, DTYPES[dtype])


def find_device(name: str) -> torch.device:
    """The device of that name; "auto" takes the best there is. ObvertError when it is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(d for d in ("cuda", "mps", "cpu") if there[d]))
    if name.split(":")[0] not in there:
        raise ObvertError(unknown("device", name, ["auto", *there]))
    if not there[name.split(":")[0]]:
        raise ObvertError(
            f"device {name} is not on this machine; there is {', '.join(d for d, is_there in there.items() if is_there)}"
        )
    return torch.device(name)
