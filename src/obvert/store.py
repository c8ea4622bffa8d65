"""Save and open inversions and fitted feature maps: safetensors for the numbers, JSON for the rest, `format: 1`.

A folder is written beside its final place and moved there when it is whole.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from obvert.core import Fitted, Inversion

FORMAT = 1
OWN = {"about.json", "report.json", "settings.json", "card.json", "config.json", "model_index.json"}
"""Files by which a folder is known as one that was written here; no other is ever replaced."""


@contextmanager
def new_folder(folder: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into that takes its name only when all went well.

    Args:
        folder: the final name.
        overwrite: replace what is there.

    Yields:
        A hidden folder beside the final one.

    Raises:
        ObvertError: if something is there already and `overwrite` is off, or it cannot be written.
    """
    from obvert.core import ObvertError

    final = Path(folder).absolute()
    taken(final, overwrite=overwrite)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        side = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    except OSError as error:
        raise ObvertError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        yield side
        side.chmod(0o755)
        if final.is_dir():
            shutil.rmtree(final)
        os.replace(side, final)
    finally:
        shutil.rmtree(side, ignore_errors=True)


def taken(folder: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that holds something; ObvertError says how to go on."""
    from obvert.core import ObvertError

    path = Path(folder)
    for place in (path, *path.absolute().parents):
        if place.exists() and not place.is_dir():
            raise ObvertError(f"need a folder for the output, got {folder if place == path else place}, which is a file")
    held = {file.name for file in path.iterdir()} if path.is_dir() else set()
    if held and not held & OWN:
        raise ObvertError(f"{folder} holds what obvert did not write; give another --out")
    if held and not overwrite:
        raise ObvertError(f"{folder} holds another run; give another --out or say --overwrite")


def save(thing: Inversion | Fitted, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Save an inversion or a fitted feature map.

    Args:
        thing: what to save.
        folder: made new; holds `tensors.safetensors` and `about.json`.
        overwrite: replace what is there.

    Returns:
        The folder.
    """
    from safetensors.torch import save_file

    from obvert.core import Inversion

    tensors: dict[str, Tensor] = {}
    about = {"format": FORMAT, "kind": "inversion" if isinstance(thing, Inversion) else "feature map"}
    about["content"] = _split(asdict(thing.cpu() if isinstance(thing, Inversion) else thing), "", tensors)
    with new_folder(folder, overwrite=overwrite) as side:
        save_file({name: t.contiguous().clone() for name, t in tensors.items()}, side / "tensors.safetensors")
        (side / "tensors.safetensors").chmod(0o644)  # as its neighbours; safetensors lets the owner alone read it
        (side / "about.json").write_text(json.dumps(about, indent=1, ensure_ascii=False))
    return Path(folder)


def open(folder: str | Path) -> Inversion | Fitted:
    """Open what `save` wrote.

    Args:
        folder: as given to `save`.

    Returns:
        The same thing, tensors in main memory.

    Raises:
        ObvertError: when the folder holds no such thing, or one of a later format.
    """
    from safetensors.torch import load_file

    from obvert.core import Card, Fitted, Inversion, ObvertError, Solution

    path = Path(folder)
    try:
        about = json.loads((path / "about.json").read_text())
        tensors = load_file(path / "tensors.safetensors")
    except Exception as error:
        raise ObvertError(f"need a folder that obvert.save wrote, got {folder}: {type(error).__name__}") from error
    if not isinstance(about, dict) or "format" not in about:
        raise ObvertError(f"need a folder that obvert.save wrote, got {folder}: about.json names no format")
    if about["format"] != FORMAT:
        raise ObvertError(f"need format {FORMAT}, got {about['format']} in {folder}; a newer obvert wrote it")
    try:
        content = _join(about["content"], tensors)
        if about["kind"] == "feature map":
            return Fitted(**content)
        solution = content.pop("solution")
        solution["snapshots"] = {int(k): v for k, v in solution["snapshots"].items()}
        for name in ("snapshot_features", "snapshot_texts"):
            content[name] = {int(k): v for k, v in content.get(name, {}).items()}
        return Inversion(model=Card(**content.pop("model")), solution=Solution(**solution), **content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ObvertError(f"{folder} is broken: about.json and tensors.safetensors do not fit: {error}") from error


def _split(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The same nest with each tensor moved to `tensors` and its path left in its place."""
    if isinstance(value, dict):
        return {str(k): _split(v, f"{path}.{k}".lstrip("."), tensors) for k, v in value.items()}
    if hasattr(value, "untyped_storage"):
        tensors[path] = value
        return {"$tensor": path}
    return list(value) if isinstance(value, tuple) else value


def _join(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        return tensors[value["$tensor"]] if "$tensor" in value else {k: _join(v, tensors) for k, v in value.items()}
    return value


class Run:
    """A run that survives interruption: its pieces lie in FOLDER.partial until it is whole, then take their place.

    The same run started again finds the pieces that are done; a run with other settings starts afresh.
    `with Run(...) as run:` gives the run its name at the end. What is interrupted stays; what is refused as bad input
    leaves nothing that was not there before.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any], *, overwrite: bool = False) -> None:
        """Begin or go on.

        Args:
            folder: the final name; refused when it holds something and `overwrite` is off.
            settings: all that the pieces depend on.
            overwrite: replace what is there, once this run is whole.
        """
        taken(folder, overwrite=overwrite)
        self.final = Path(folder).absolute()
        self._partial = self.final.with_name(self.final.name + ".partial")
        self._key = json.dumps(settings, sort_keys=True, default=str)
        mark = self._partial / "settings.json"
        if self._partial.exists() and not (mark.exists() and mark.read_text() == self._key):
            shutil.rmtree(self._partial)
        self._new = not self._partial.exists()
        self._prefix = ""

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        from obvert.core import ObvertError
        from obvert.io import PictureError

        if kind is None:
            self.finish()
        elif issubclass(kind, ObvertError | PictureError) and self._new:
            shutil.rmtree(self._partial, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """Where the run's files lie until it is whole; made when it is first asked for."""
        from obvert.core import ObvertError

        try:
            (self._partial / "pieces").mkdir(parents=True, exist_ok=True)
            (self._partial / "settings.json").write_text(self._key)
        except OSError as error:
            raise ObvertError(f"cannot write to {self._partial}: {error.strerror}") from error
        return self._partial

    def piece(self, name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Tensors by name: read if they are done, otherwise made and kept.

        Args:
            name: of the piece.
            make: how to make it.

        Returns:
            The tensors, in main memory.
        """
        from safetensors.torch import load_file, save_file

        name = self._prefix + name
        path = self._partial / "pieces" / f"{name}.safetensors"
        if not path.exists():
            side = self.folder / "pieces" / f"{name}.part"  # asked for first: who cannot write works for nothing
            made = {key: t.contiguous().clone() for key, t in make().items()}
            save_file(made, side)
            side.replace(path)
        return load_file(path)

    def within(self, name: str) -> Run:
        """The same run for a part of the work: its pieces are named after it."""
        part = copy.copy(self)
        part._prefix = f"{self._prefix}{name}-"
        return part

    def remove(self) -> None:
        """Throw the run away: its pieces have served."""
        shutil.rmtree(self._partial, ignore_errors=True)
        shutil.rmtree(self.final, ignore_errors=True)

    def finish(self) -> Path:
        """Give the run its final name, in place of what was there."""
        if self.final.is_dir():
            shutil.rmtree(self.final)
        os.replace(self.folder, self.final)
        return self.final
