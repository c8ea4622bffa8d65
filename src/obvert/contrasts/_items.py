"""What the layouts share: entries of files with their place, the pictures an item asks for, and which items can be used."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from torch import Tensor

from obvert.core import Contrast, ContrastSet, ObvertError
from obvert.datasets._files import parsed, text
from obvert.datasets._tables import SUFFIXES, Row, find_tables, read_columns
from obvert.io import PictureError, read_images


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of a picture that its publishers show."""

    file: Path
    box: tuple[int, int, int, int]
    """Left, upper, width and height, in pixels; what lies outside the picture is not there."""

    def fetch(self) -> Tensor:
        """The part; PictureError where the picture cannot be read or the box lies outside it."""
        x, y, width, height = self.box
        (whole,) = read_images(self.file)
        part = whole[:, max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
        if not part.numel():
            raise PictureError(f"{self}: need a box within {whole.shape[2]} x {whole.shape[1]} pixels, got {self.box}")
        return part

    def __str__(self) -> str:
        return f"{self.file}, box {self.box}"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A picture that an item asks for."""

    names: tuple[str, ...]
    """Where it may lie below the folder of pictures; the first found is taken."""
    box: tuple[int, int, int, int] | None = None
    """What is shown of it."""

    def find(self, images: Path) -> Path | Crop | None:
        """The picture; None where it is missing."""
        found = next((path for path in (images / name for name in self.names) if path.is_file()), None)
        return Crop(found, self.box) if found and self.box else found


@dataclass(frozen=True, kw_only=True)
class Item:
    """A contrast and the pictures it asks for; those that lie in a table are its own already."""

    contrast: Contrast
    asked: tuple[Asked, ...] = ()


def beside(root: Path, name: str) -> Path:
    """A file of a benchmark: in its folder, or in the folder "data" of it, as repositories have it."""
    return root / "data" / name if (root / "data" / name).is_file() else root / name


def entries(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, entry) of a JSON list or object of entries, of JSON lines, or of a CSV file with a heading.

    Args:
        path: .json, .jsonl or .csv.

    Yields:
        The place, "FILE, item KEY", and the entry.

    Raises:
        ObvertError: when the file is missing or holds something else.
    """
    if path.suffix == ".csv":
        try:
            yield from ((f"{path}, item {i}", row) for i, row in enumerate(csv.DictReader(StringIO(text(path), newline=""))))
        except csv.Error as error:
            raise ObvertError(f"{path}: need a table in CSV, got {error}") from error
        return
    if path.suffix == ".jsonl":
        for i, line in enumerate(filter(str.strip, text(path).split("\n"))):
            try:
                yield f"{path}, item {i}", json.loads(line)
            except json.JSONDecodeError as error:
                raise ObvertError(f"{path}, item {i}: need a line of JSON, got {line.strip()[:60]!r}") from error
        return
    table = parsed(path)
    if not isinstance(table, dict | list):
        raise ObvertError(f"{path}: need a list of items, got {str(table)[:60]!r}")
    for key, entry in table.items() if isinstance(table, dict) else enumerate(table):
        yield f"{path}, item {key}", entry


def rows(root: Path, stem: str, texts: Sequence[str], pictures: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The entries of a benchmark that is one table, in whichever form the user has it.

    Args:
        root: the file, or the folder with STEM.jsonl, STEM.json or STEM.csv, or with the Parquet files of its publishers.
        stem: the name of its file.
        texts: columns of texts.
        pictures: columns of pictures.

    Yields:
        As `entries`; of Parquet the pictures are cells of the table.

    Raises:
        ObvertError: when nothing of it is there, or a file is damaged.
    """
    forms = [beside(root, f"{stem}.{form}") for form in ("jsonl", "json", "csv")]
    file = root if root.is_file() else next((path for path in forms if path.is_file()), None)
    if file and file.suffix not in SUFFIXES:
        yield from entries(file)
        return
    for table in find_tables(root):
        columns = read_columns(table, list(texts))
        for i in range(len(columns[texts[0]])):
            cells = {name: columns[name][i] for name in texts} | {name: Row(table, name, i) for name in pictures}
            yield f"{table}, row {i}", cells


def said(place: str, entry: Any, *keys: str | int) -> tuple[str, ...]:
    """The texts of an entry under these keys; ObvertError names its place where one is missing or is no text."""
    try:
        found = [] if isinstance(entry, str) else [entry[key] for key in keys]
    except (KeyError, IndexError, TypeError):
        found = []
    if not found or not all(isinstance(one, str) for one in found):
        raise ObvertError(f"{place}: need texts under {', '.join(map(repr, keys))}, got {str(entry)[:60]!r}")
    return tuple(found)


def with_pictures(place: str, entry: Any, contrast: Contrast, keys: Sequence[str], suffixes: Sequence[str] = ("",)) -> Item:
    """An item of a table: its pictures are cells of it, or names of files that may lack one of these suffixes."""
    cells = tuple(entry[key] for key in keys if isinstance(entry.get(key), Row))
    if len(cells) == len(keys):
        return Item(contrast=replace(contrast, pictures=cells))
    names = said(place, entry, *keys)
    return Item(contrast=contrast, asked=tuple(Asked(names=tuple(name + end for end in suffixes)) for name in names))


def gathered(name: str, items: Iterable[Item], images: Path | None, *, measures: tuple[str, ...]) -> ContrastSet:
    """The items that can be used, and a note of each kind that cannot.

    Args:
        name: of the benchmark.
        items: as its files have them.
        images: the folder of pictures; None for texts alone.
        measures: what its publishers report.

    Returns:
        The set; items that repeat an earlier one stay, and are told.

    Raises:
        ObvertError: when no item is left.
    """
    kept: list[Contrast] = []
    why: dict[str, list[str]] = {"empty": [], "same": [], "missing": []}
    seen: Counter[Item] = Counter()
    total = 0
    for item in items:
        total += 1
        found = _pictures(item, images)
        if not all(map(str.strip, item.contrast.texts)):
            why["empty"].append(repr(item.contrast.texts))
        elif _same(item.contrast):
            why["same"].append(repr(item.contrast.texts[0]))
        elif None in found:
            why["missing"].append(item.asked[found.index(None)].names[0])
        else:
            seen[item] += 1
            kept.append(replace(item.contrast, pictures=found))
    told = {
        "empty": "a text is empty",
        "same": "the wrong text is the right one",
        "missing": f"no such picture in {images}",
    }
    out = {told[kind]: names for kind, names in why.items() if names}
    notes = [
        f"{len(n):,} of {total:,} items left out, {reason}: {n[0][:120]}{', ...' * (len(n) > 1)}" for reason, n in out.items()
    ]
    if not kept:
        raise ObvertError(f"need items of {name}, got none; " + ("; ".join(notes) or "its files hold none"))
    if notes:
        notes.append(f"{len(kept):,} of {total:,} items are evaluated")
    if again := seen.total() - len(seen):
        notes.append(f"{again} of {len(kept):,} items repeat an earlier one")
    return ContrastSet(name=name, items=kept, missing=len(why["missing"]), notes=tuple(notes), measures=measures)


def _pictures(item: Item, images: Path | None) -> tuple[Any, ...]:
    if not item.asked or images is None:
        return item.contrast.pictures
    return tuple(asked.find(images) for asked in item.asked)


def _same(contrast: Contrast) -> bool:
    """Whether a wrong text is a right one, however it is spaced and whatever its case."""
    texts = [" ".join(text.casefold().split()) for text in contrast.texts]
    every = range(len(texts))
    return any(texts[i] == texts[j] for right in contrast.right for i in right for j in every if j not in right)
