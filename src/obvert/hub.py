"""Where a model lies: in the package (zoo/NAME), in a folder, or on a hub (owner/name@revision).

Everything ends as a local folder; the hub is asked only when nothing nearer has the name.
"""

from __future__ import annotations

import hashlib
import json
import socket
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from obvert.core import ObvertError
from obvert.registry import unknown

ZOO = Path(__file__).parent / "zoo" / "weights"
FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
"""What is taken from a hub: no code, no pickle."""
PIPELINE = "model_index.json"
"""What diffusers writes at the top of a model of several parts, each in its subfolder."""
CONFIGS = ("config.json", "open_clip_config.json", PIPELINE)
PATIENCE = 3.0
"""Seconds to wait for a hub to answer at all."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """A model's folder and where it came from."""

    name: str
    folder: Path
    revision: str = ""


Kind = Literal["dual encoder", "autoencoder", "diffusion", "captioner", "vision-language model", "recogniser", "synthesiser"]
KINDS: dict[str, Kind] = {
    "blip": "captioner",
    "blip-2": "captioner",
    **dict.fromkeys(
        ("llava", "llava_next", "qwen2_5_vl", "qwen3_vl", "gemma3", "idefics3", "smolvlm", "paligemma", "internvl"),
        "vision-language model",
    ),
    "whisper": "recogniser",
    "vits": "synthesiser",
    "speecht5": "synthesiser",
    "fastspeech2_conformer": "synthesiser",
    "fastspeech2_conformer_with_hifigan": "synthesiser",
}
"""transformers' `model_type` -> the kind of all that are not dual encoders."""


def zoo(kind: Kind | None = None) -> list[str]:
    """Names of the embedded models; only those of a kind where one is named."""
    folders = (p.parent for p in sorted(ZOO.glob("*/card.json")))
    return [f"zoo/{folder.name}" for folder in folders if kind in (None, kind_of(folder))]


def kind_of(folder: Path) -> Kind | None:
    """What a model folder holds, from its configuration files; None when that cannot be told."""
    if (folder / "model_index.json").exists():
        return "diffusion"
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return None
    if "model_type" in config:
        return KINDS.get(config["model_type"], "dual encoder")
    return "autoencoder" if "_class_name" in config else None


def locate(name: str, subfolder: str = "") -> Located:
    """Find a model's folder.

    Args:
        name: "zoo/NAME", a folder, or "owner/name" with an optional "@revision".
        subfolder: the part wanted of a model of several, e.g. "vae"; nothing else is downloaded.

    Returns:
        Where it lies; a hub model is downloaded first unless it is in the local cache.

    Raises:
        ObvertError: when nothing of that name can be had; near misses or the local alternative are named.
    """
    if name.startswith("zoo/"):
        if name not in zoo():
            raise ObvertError(unknown("model", name, zoo()))
        return _part(Located(name=name, folder=ZOO / name.removeprefix("zoo/")), subfolder)
    path = _path(name)
    if path.is_dir():
        if not subfolder and not any((path / f).exists() for f in CONFIGS):
            raise ObvertError(f"need a model folder with config.json, got {name} without one")
        return _part(Located(name=name, folder=path), subfolder)
    if path.is_absolute() or name.startswith((".", "~")) or path.exists():
        raise ObvertError(f"need a model folder, got {name}, which is {'a file' if path.exists() else 'not there'}")
    if name.count("/") != 1:
        raise ObvertError(unknown("model", name, zoo()) + "; otherwise give a folder or a hub id owner/name")
    if "@" not in name:
        warnings.warn(f"{name} has no revision; to reproduce this run later, say {name}@REVISION", stacklevel=3)
    return _part(from_hub(name, [f"{subfolder}/{f}" for f in FILES] + [PIPELINE] if subfolder else FILES, subfolder), subfolder)


def _part(located: Located, subfolder: str) -> Located:
    """A part of what was located; ObvertError when it is not there."""
    folder = located.folder / subfolder
    if not subfolder:
        return located
    if Path(subfolder).is_absolute() or ".." in Path(subfolder).parts or not (folder / "config.json").exists():
        there = sorted(path.parent.name for path in located.folder.glob("*/config.json"))
        raise ObvertError(
            f"need a subfolder with config.json in {located.name}, got {subfolder}; there is {', '.join(there) or 'none'}"
        )
    return replace(located, folder=folder)


def is_pipeline(name: str) -> bool:
    """Whether a name that `locate` takes means a model of several parts; no when nothing of that name can be had."""
    if name.startswith("zoo/"):
        return (ZOO / name.removeprefix("zoo/") / PIPELINE).exists()
    path = _path(name)
    if path.exists() or name.count("/") != 1:
        return (path / PIPELINE).exists()
    try:
        return (from_hub(name, [PIPELINE], weights=PIPELINE).folder / PIPELINE).exists()
    except ObvertError:
        return False


def _path(name: str) -> Path:
    """A name as a path that the file system can be asked about; no empty, over-long or null-holding name."""
    try:
        path = Path(name).expanduser()
        path.exists()
        if name:
            return path
    except (OSError, ValueError, RuntimeError):
        pass
    raise ObvertError(f"need a model: zoo/NAME, a folder or a hub id owner/name[@revision], got {name[:60]!r}")


def weights_hash(folder: Path) -> str:
    """SHA-256 over a folder's safetensors files, or those of a pipeline's parts, in order of name; "" when there are none."""
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*/*.safetensors"))
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest() if files else ""


def from_hub(name: str, files: list[str], subfolder: str = "", weights: str = "*.safetensors") -> Located:
    """Find a hub model in the local cache, or download it.

    Args:
        name: "owner/name" with an optional "@revision".
        files: patterns of the files wanted.
        subfolder: where its weights lie.
        weights: pattern of the files without which nothing was downloaded.

    Returns:
        Where it lies.

    Raises:
        ObvertError: when it is not cached and the hub cannot be reached, or does not give it.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repo, _, revision = name.partition("@")
    folder = ""
    try:
        folder = snapshot_download(repo, revision=revision or None, allow_patterns=files, local_files_only=True)
    except HFValidationError as error:
        raise ObvertError(f"need a hub id owner/name[@revision], got {name!r}") from error
    except LocalEntryNotFoundError:
        pass
    if not folder or not _whole(Path(folder) / subfolder, weights):
        local = "download it elsewhere and give its folder, or use " + ", ".join(zoo())
        if constants.HF_HUB_OFFLINE or not _reachable(constants.ENDPOINT):
            raise ObvertError(f"{name} is not in the local cache and the hub cannot be reached; {local}") from None
        try:
            folder = snapshot_download(repo, revision=revision or None, allow_patterns=files)
        except (HfHubHTTPError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ObvertError(f"the hub did not give {name}: {reason}; {local}") from None
    return Located(name=name, folder=Path(folder), revision=Path(folder).name)


def _whole(folder: Path, weights: str) -> bool:
    """Whether a download holds its weights, or, of a pipeline, every part: neither nothing nor one that was cut short."""
    if any(folder.glob(weights)) or not (folder / PIPELINE).exists():
        return any(folder.glob(weights))
    parts = json.loads((folder / PIPELINE).read_text())
    return all((folder / part).is_dir() for part, kind in parts.items() if isinstance(kind, list) and kind[0])


def _reachable(endpoint: str) -> bool:
    """Whether a server answers at all, within `PATIENCE` seconds."""
    from concurrent.futures import ThreadPoolExecutor
    from urllib.parse import urlsplit

    url = urlsplit(endpoint)

    def knock() -> bool:
        socket.create_connection((url.hostname or "", url.port or 443), timeout=PATIENCE).close()
        return True

    pool = ThreadPoolExecutor(1)  # name look-up knows no timeout of its own
    try:
        return pool.submit(knock).result(PATIENCE)
    except (OSError, TimeoutError):
        return False
    finally:
        pool.shutdown(wait=False)
