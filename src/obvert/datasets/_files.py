"""Reading what lies beside the pictures: tables and lists, each complaint with the path that was expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from obvert.core import ObvertError
from obvert.io import SUFFIXES, PictureError


def rows(path: Path, columns: int, *, skip: int = 0) -> list[list[str]]:
    """Rows of a table whose columns are separated by spaces; the last column may hold more of them.

    Args:
        path: the file.
        columns: how many there must be.
        skip: lines of heading.

    Returns:
        One list of `columns` strings for each line that is not blank.

    Raises:
        ObvertError: when the file is missing, is no text, or a line has fewer columns.
    """
    found = []
    for number, line in enumerate(text(path).splitlines()[skip:], skip + 1):
        if line.strip():
            cells = line.strip().split(maxsplit=columns - 1)
            if len(cells) != columns:
                raise ObvertError(f"{path}, line {number}: need {columns} columns, got {line.strip()[:60]!r}")
            found.append(cells)
    return found


def parsed(path: Path) -> Any:
    """What a JSON file holds; ObvertError when it is missing or is no JSON."""
    try:
        return json.loads(text(path))
    except json.JSONDecodeError as error:
        raise ObvertError(f"{path} is not JSON: {error}") from error


def text(path: Path) -> str:
    """What a text file holds; ObvertError when it is missing or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ObvertError(f"need {path}, got {getattr(error, 'strerror', None) or 'no UTF-8 text'}") from error


def folder(path: Path) -> Path:
    """The folder itself; ObvertError when it is missing."""
    if not path.is_dir():
        raise ObvertError(f"need the folder {path}, got {'a file' if path.exists() else 'nothing there'}")
    return path


def every_picture(root: Path) -> list[Path]:
    """Sorted files of pictures below a folder, hidden ones left out; PictureError when there are none."""
    inside = [path for path in sorted(folder(root).rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
    if found := [path for path in inside if not any(part.startswith(".") for part in path.relative_to(root).parts)]:
        return found
    raise PictureError(f"{root}: need a folder with pictures, got none in it")


def find_pictures(root: Path) -> list[tuple[Path, str]]:
    """Sorted (path, class) pairs of ROOT/CLASS/any/picture.jpg, at least one; PictureError when there are none."""
    if not root.is_dir():
        raise PictureError(f"{root}: need a folder, got {'a file' if root.exists() else 'nothing there'}")
    try:
        seen = [(path, path.relative_to(root).parts) for path in every_picture(root)]
    except PictureError:
        seen = []
    if found := [(path, parts[0]) for path, parts in seen if len(parts) > 1]:
        return found
    folders = sum(path.is_dir() and not path.name.startswith(".") for path in root.iterdir())
    raise PictureError(
        f"{root}: need pictures as FOLDER/CLASS/picture.jpg, got {folders} class folders without pictures "
        f"and {len(seen)} pictures outside any class folder"
    )
