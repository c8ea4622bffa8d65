"""Tables in Parquet and Arrow files: which there are, what columns they have, and their cells in pieces.

Memory holds few rows of pictures: Parquet is read forwards, a page of a row group at a time, and Arrow is mapped from the disk.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from obvert.core import ObvertError
from obvert.io import PictureError

BATCH = 32
"""Rows of pictures taken from a page at once."""
SUFFIXES = frozenset({".parquet", ".arrow"})


def find_tables(root: Path) -> list[Path]:
    """Sorted tables: the file itself, or all below a folder but hidden ones and caches; ObvertError when there are none."""
    if root.is_file():
        return [root]
    found = sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    seen = [path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    if kept := [path for path in seen if not path.name.startswith(("cache-", "indices-"))]:
        return kept
    raise ObvertError(f"need a .parquet or .arrow file at or below {root}, got {'none' if root.exists() else 'nothing there'}")


def schema_of(file: Path) -> Any:
    """The schema of a table, a `pyarrow.Schema`; ObvertError when the file is damaged or is no table."""
    return _opened(file).schema


def features_of(schema: Any) -> dict[str, dict[str, Any]]:
    """What the library `datasets` noted of columns: {"label": {"_type": "ClassLabel", "names": [...]}}."""
    try:
        noted = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in noted.items() if isinstance(feature, dict)}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def read_columns(file: Path, names: list[str]) -> dict[str, list[Any]]:
    """Whole columns of a table.

    Args:
        file: the table.
        names: of the columns.

    Returns:
        {name: values, None where a cell is empty}.

    Raises:
        ObvertError: when the file is missing or damaged, or has no such column.
    """
    opened = _opened(file)
    if missing := [name for name in names if name not in opened.schema.names]:
        raise ObvertError(f"{file}: need a column {missing[0]!r}, got {', '.join(opened.schema.names)}")
    try:
        table = opened.columns(names)
        return {name: table[name].to_pylist() for name in names}
    except Exception as error:  # readers of damaged tables raise nearly anything
        raise ObvertError(f"{file}: cannot read its columns ({_line(error)})") from error


@dataclass(frozen=True, slots=True)
class Row:
    """A picture in a cell of a table."""

    file: Path
    column: str
    row: int

    def fetch(self) -> bytes | Path:
        """The bytes of the picture, or its file where the table holds its path only; PictureError for an empty cell."""
        value = _kept_open(self.file, self.file.stat().st_mtime_ns).cell(self.column, self.row)
        content, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
        if isinstance(content, bytes) and content:
            return content
        if name := path or (content if isinstance(content, str) else None):
            return self.file.parent / name
        raise PictureError(f"{self}: need a picture, got an empty cell")

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}"


class _Parquet:
    """A Parquet file; the cells of a column are cheap to read forwards, going back reads a group of rows anew."""

    def __init__(self, file: Path) -> None:
        import pyarrow.parquet as pq

        self.table = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
        self.schema = self.table.schema_arrow
        groups = [self.table.metadata.row_group(i).num_rows for i in range(self.table.metadata.num_row_groups)]
        self.starts = [0, *accumulate(groups)]
        self.at: tuple[str, int] = ("", -1)
        self.start, self.batch = 0, []  # type: ignore[var-annotated]

    def columns(self, names: list[str]) -> Any:
        return self.table.read(columns=names)

    def cell(self, column: str, row: int) -> Any:
        group = bisect_right(self.starts, row) - 1
        if self.at != (column, group) or row < self.start:
            self.batches = self.table.iter_batches(BATCH, row_groups=[group], columns=[column], use_threads=False)
            self.at, self.start, self.batch = (column, group), self.starts[group], []
        while row >= self.start + len(self.batch):
            self.start += len(self.batch)
            self.batch = next(self.batches).column(0)
        return self.batch[row - self.start].as_py()


class _Arrow:
    """An Arrow file, as a stream or for random access, mapped from the disk."""

    def __init__(self, file: Path) -> None:
        import pyarrow as pa

        try:
            self.table = pa.ipc.open_stream(pa.memory_map(str(file))).read_all()
        except pa.ArrowInvalid:
            self.table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        self.schema = self.table.schema

    def columns(self, names: list[str]) -> Any:
        return self.table.select(names)

    def cell(self, column: str, row: int) -> Any:
        return self.table[column][row].as_py()


@lru_cache(maxsize=4)
def _kept_open(file: Path, changed: int) -> _Parquet | _Arrow:
    return _opened(file)


def _opened(file: Path) -> _Parquet | _Arrow:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ObvertError("need pyarrow to read tables, got none: pip install 'obvert[tables]'") from error
    try:
        return _Arrow(file) if file.suffix == ".arrow" else _Parquet(file)
    except Exception as error:  # readers of damaged tables raise nearly anything
        kind = "Arrow" if file.suffix == ".arrow" else "Parquet"
        raise ObvertError(f"{file}: need a {kind} table, got {_line(error)}") from error


def _line(error: Exception) -> str:
    return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0][:80]
