"""Model families, one a file, named as transformers names them; `load` finds the right one.

A family's file has `load(located, card, device, dtype)`. Only the files here import transformers, diffusers or
open_clip.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import torch

from obvert.core import Autoencoder, Card, Diffusion, DualEncoder, ObvertError, Reader, Writer
from obvert.core.drawing import as_writer
from obvert.hub import KINDS, PIPELINE, is_pipeline, locate, weights_hash
from obvert.models.parts.frames import by_frames as by_frames
from obvert.models.parts.torchvision_shim import prepare
from obvert.registry import module, names, unknown

prepare()  # before anything imports transformers
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
OTHERS = ("open-clip", "autoencoder", "diffusion", "chatterbox")
"""Files that no `model_type` of transformers names."""


ALIASES = {"fastspeech2_conformer_with_hifigan": "fastspeech2-conformer"}
"""`model_type` of those that another file loads."""


Model = DualEncoder | Autoencoder | Diffusion | Reader | Writer


def load(name: str, *, subfolder: str = "", device: str = "auto", dtype: str = "float32") -> Model:
    """Load a frozen model.

    Args:
        name: "zoo/NAME", a local folder, a hub id "owner/name" with an optional "@revision", or
            "open_clip:NAME/TAG" and "open_clip:FOLDER" with the extra `openclip`, or "chatterbox:FOLDER" with its package.
        subfolder: the part wanted of a model of several, e.g. "vae"; of a hub, nothing else is downloaded.
        device: "auto", "cpu", "cuda" or "mps".
        dtype: "float32", "bfloat16" or "float16": what the frozen weights are cast to, once.

    Returns:
        The model, in eval mode, no weight requiring a gradient: a dual encoder, an autoencoder, a text-to-image model,
        a reader, which is a captioner, a vision-language model or a speech recogniser, or a writer, which is a speech
        synthesiser.

    Raises:
        ObvertError: for an unknown model, device or dtype; one line says what there is.
    """
    if dtype not in DTYPES:
        raise ObvertError(unknown("dtype", dtype, list(DTYPES)))
    place = find_device(device)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    for package in ("open_clip", "chatterbox"):
        if name.startswith(f"{package}:"):
            if subfolder:
                raise ObvertError(f"need no subfolder with {package}, got {subfolder}")
            found: Model = module("models", package.replace("_", "-")).load(name.partition(":")[2], place, DTYPES[dtype])
            return found
    located = locate(name, subfolder)
    whole = f"{name}/{subfolder}" if subfolder else name
    if (located.folder / "open_clip_config.json").exists() and not (located.folder / "config.json").exists():
        raise ObvertError(f"{name} is an open_clip folder; say open_clip:{name}")
    pipeline = (located.folder / PIPELINE).exists() and not (located.folder / "config.json").exists()
    try:
        config = {} if pipeline else json.loads((located.folder / "config.json").read_text())
        family = "autoencoder" if "_class_name" in config else str(config.get("model_type", "nothing"))
    except (OSError, ValueError, AttributeError) as error:
        raise ObvertError(f"need a readable config.json in {whole}, got: {error}") from error
    family = "diffusion" if pipeline else ALIASES.get(family, family.replace("_", "-"))
    known = [n for n in names("models") if n not in OTHERS]
    if family not in (*known, *OTHERS):
        raise ObvertError(unknown("model type", family, known) + f" (in {whole})")
    card = Card(name=whole, family=family, revision=located.revision, sha256=weights_hash(located.folder))
    about = located.folder / "card.json"
    if about.exists():
        notes = json.loads(about.read_text())
        card = replace(card, licence=notes.get("licence", "unknown"), notes=notes)
    return module("models", family).load(located.folder, card, place, DTYPES[dtype])


def load_dual(name: str, *, device: str = "auto", dtype: str = "float32") -> DualEncoder:
    """Load a model that must be a dual encoder; arguments as for `load`. ObvertError when it is another."""
    model = load(name, device=device, dtype=dtype)
    if isinstance(model, Autoencoder | Diffusion | Reader | Writer):
        raise ObvertError(f"need a dual encoder such as zoo/clip, got the {_kind(model)} {name}")
    return model


def load_diffusion(name: str, *, device: str = "auto", dtype: str = "float32") -> Diffusion:
    """Load a model that must be a text-to-image model; arguments as for `load`. ObvertError when it is another."""
    model = load(name, device=device, dtype=dtype)
    if not isinstance(model, Diffusion):
        raise ObvertError(f"need a text-to-image pipeline such as zoo/diffusion, got the {_kind(model)} {name}")
    return model


def load_reader(name: str, *, device: str = "auto", dtype: str = "float32") -> Reader:
    """Load a model that reads pictures or speech, in words; arguments as for `load`. ObvertError when it is another."""
    model = load(name, device=device, dtype=dtype)
    if not isinstance(model, Reader):
        need = "a captioner (blip, blip-2), a vision-language model such as llava or qwen2_5_vl, or a speech recogniser (whisper)"
        raise ObvertError(f"need {need}, got the {_kind(model)} {name}")
    return model


def load_writer(
    name: str,
    *,
    device: str = "auto",
    dtype: str = "float32",
    steps: int = 10,
    guidance: float | None = None,
    seed: int = 0,
) -> Writer:
    """Load a model that must be a text-to-image model or a speech synthesiser.

    Args:
        name: as for `load`.
        device: as for `load`.
        dtype: as for `load`.
        steps: in which a text-to-image model draws; synthesisers take none.
        guidance: with which it draws; its usual one when None.
        seed: of the noise that it draws every picture from.

    Returns:
        The writer.

    Raises:
        ObvertError: for what `load` refuses, and for another kind of model.
    """
    model = load(name, device=device, dtype=dtype)
    if isinstance(model, Diffusion):
        return as_writer(model, steps=steps, guidance=guidance, seed=seed)
    if not isinstance(model, Writer):
        need = "a text-to-image pipeline such as zoo/diffusion or a speech synthesiser (vits, speecht5, fastspeech2_conformer)"
        raise ObvertError(f"need {need}, got the {_kind(model)} {name}")
    return model


def load_autoencoder(name: str, *, subfolder: str = "", device: str = "auto", dtype: str = "float32") -> Autoencoder:
    """Load a model that must be an autoencoder.

    Args:
        name: as for `load`; of a pipeline of several models, its "vae" is taken.
        subfolder: another part of it.
        device: as for `load`.
        dtype: as for `load`.

    Returns:
        The autoencoder.

    Raises:
        ObvertError: for what `load` refuses, and for another kind of model.
    """
    if not subfolder and is_pipeline(name):
        subfolder = "vae"
    model = load(name, subfolder=subfolder, device=device, dtype=dtype)
    if not isinstance(model, Autoencoder):
        raise ObvertError(f"need an autoencoder such as zoo/vae, got the {_kind(model)} {name}")
    return model


def _kind(model: Model) -> str:
    if isinstance(model, Reader):
        kinds = {ALIASES.get(kind, kind.replace("_", "-")): what for kind, what in KINDS.items()}
        return "speech recogniser" if model.medium.media == "sound" else kinds.get(model.card.family, "captioner")
    if isinstance(model, Writer):
        return "speech synthesiser"
    return {Autoencoder: "autoencoder", Diffusion: "text-to-image model"}.get(type(model), "dual encoder")


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
