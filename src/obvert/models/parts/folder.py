"""Read the parts of a model folder that transformers or diffusers wrote: weights, tokenizer, preprocessing."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from obvert.core import ObvertError
from obvert.models.parts.preprocess import Preprocess

TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model")
"""Files of which a tokenizer has one; without any, transformers makes up an empty one."""
BESIDE = ("*.json", "*.txt", "*.model", "*.jinja")
"""Files that lie beside the weights."""


def read_model(class_name: str, folder: Path, unused: str = "") -> Any:
    """A transformers model in fp32, eval mode, frozen; safetensors only.

    Args:
        class_name: of transformers.
        folder: where config.json and the weights lie.
        unused: how the names of tensors begin that may be missing, since they are not used; all are needed when empty.

    Returns:
        The model.

    Raises:
        ObvertError: when the weights are missing, broken or incomplete.
    """
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # what it warns of is checked here, or of no concern
    try:
        model, info = getattr(transformers, class_name).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:
        raise ObvertError(f"need a {class_name} in safetensors in {folder}, got: {_line(error)}") from error
    missing = sorted(name for name in info["missing_keys"] if not unused or not name.startswith(unused))
    if missing:
        raise ObvertError(f"the weights in {folder} lack {len(missing)} tensors, e.g. {missing[0]}")
    return model.requires_grad_(False).eval()


def write_model(model: Any, folder: Path, source: Path) -> None:
    """Write a transformers model as a folder like the one that it was read from.

    Args:
        model: written as safetensors with its config.json.
        folder: written into; must be there.
        source: whose tokenizer and preprocessing go with it, but not its card, which tells of other weights.
    """
    model.save_pretrained(folder)
    for path in sorted(path for pattern in BESIDE for path in source.glob(pattern)):
        if path.name != "card.json" and not path.name.endswith(".index.json") and not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)


def read_autoencoder(class_name: str, folder: Path) -> Any:
    """An autoencoder of diffusers in fp32, eval mode, frozen, neither tiling nor slicing; safetensors only.

    Args:
        class_name: of diffusers.
        folder: where config.json and the weights lie.

    Returns:
        The model.

    Raises:
        ObvertError: when the weights are missing, broken or incomplete.
    """
    import diffusers
    import torch

    hush(diffusers)

    try:
        with torch.no_grad(), warnings.catch_warnings(action="ignore", category=FutureWarning):  # Oobleck's normalised weights:
            # torch warns of their kind, and computes them on loading; a graph behind them could not be copied
            model, info = getattr(diffusers, class_name).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                low_cpu_mem_usage=False,
                torch_dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:
        raise ObvertError(f"need a {class_name} in safetensors in {folder}, got: {_line(error)}") from error
    if info["missing_keys"]:
        raise ObvertError(
            f"the weights in {folder} lack {len(info['missing_keys'])} tensors, e.g. {sorted(info['missing_keys'])[0]}"
        )
    for flag in ("use_tiling", "use_slicing", "use_framewise_encoding", "use_framewise_decoding"):
        if hasattr(model, flag):
            setattr(model, flag, False)
    return model.requires_grad_(False).eval()


def read_tokenizer(folder: Path, class_name: str = "AutoTokenizer") -> Any:
    """The folder's tokenizer, of that class of transformers; ObvertError when there is none."""
    import transformers

    if not any(found for pattern in TOKENIZERS for found in folder.glob(pattern)):
        raise ObvertError(f"need a tokenizer in {folder}, got none of its files")
    try:
        return getattr(transformers, class_name).from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ObvertError(f"need a tokenizer in {folder}, got: {_line(error)}") from error


def read_settings(folder: Path) -> dict[str, Any]:
    """What the folder tells of its preprocessing, without what it leaves open; ObvertError when it cannot be read."""
    path = preprocessor_file(folder)
    try:
        told = json.loads(path.read_text())
    except ValueError as error:
        raise ObvertError(f"{path}: {error}") from error
    return {key: value for key, value in told.get("image_processor", told).items() if value is not None}


def read_preprocess(folder: Path, size: int | None = None, settings: Mapping[str, Any] | None = None) -> Preprocess:
    """The folder's preprocessor_config.json.

    Args:
        folder: where it lies.
        size: edge of the square pictures that the model takes, where that is to be checked.
        settings: in place of those that the file tells.

    Returns:
        The preprocessing.

    Raises:
        ObvertError: when it is missing, or asks for what is not supported or for pictures of another size.
    """
    path = preprocessor_file(folder)
    settings = read_settings(folder) if settings is None else settings
    try:
        preprocess = Preprocess.from_config(settings)
    except ValueError as error:
        raise ObvertError(f"{path}: {error}") from error
    if size is not None and preprocess.size != (size, size):
        raise ObvertError(f"need pictures of {size}x{size} in {path}, got {'x'.join(map(str, preprocess.size))}")
    return preprocess


def read_exact(folder: Path, size: tuple[int, int], usual: Mapping[str, Any]) -> Preprocess:
    """The folder's filter, mean and deviation, for a resize to exactly that size.

    Args:
        folder: where preprocessor_config.json lies.
        size: (H, W).
        usual: `resample`, `image_mean` and `image_std` of the processor's class, where the file tells none.

    Returns:
        The preprocessing.

    Raises:
        ObvertError: when the file is missing, or asks for what is not supported.
    """
    exactly = {"size": {"height": size[0], "width": size[1]}, "do_resize": True, "do_center_crop": False, "do_pad": False}
    return read_preprocess(folder, settings={**usual, **read_settings(folder), **exactly})


def preprocessor_file(folder: Path) -> Path:
    """Where the preprocessing is told; ObvertError when nowhere."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = folder / name
        if path.exists():
            return path
    raise ObvertError(f"need preprocessor_config.json in {folder}, got none")


def opening(tokenizer: Any) -> tuple[list[int], int]:
    """Token ids of the start and "a photo of", and the id of the end token."""
    ids = list(tokenizer("a photo of")["input_ids"])
    end = tokenizer.eos_token_id
    if ids[-1] != end:
        raise ObvertError("need a tokenizer that ends a text with its end token, got one that does not")
    return ids[:-1], end


def _line(error: Exception) -> str:
    first, *rest = str(error).strip().splitlines() or [type(error).__name__]
    return (f"{first} {rest[0].strip()}" if rest and first.endswith(":") else first)[:300]


def hush(diffusers: Any) -> None:
    """Keep diffusers from logging: the errors it logs, it raises too."""
    diffusers.utils.logging.set_verbosity(logging.CRITICAL)
    diffusers.utils.logging.disable_progress_bar()
