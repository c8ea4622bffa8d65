"""Read a pickle of lists, dicts, texts and arrays of numbers, and nothing else.

A pickle is a program: it names functions and calls them. Here every name it may use stands for a reader of our own, so
that no function of the file's choosing runs, numpy's own included; another name is refused before anything is called.
Arrays come back as lists. Pickles of Python 2 are read with latin-1 texts.
"""

from __future__ import annotations

import pickle
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from obvert.core import ObvertError

MAX_BYTES = 1 << 28
"""Largest file that is read; ground truths are of about a megabyte."""


def unpickle(path: Path) -> Any:
    """Read a pickle of plain data.

    Args:
        path: the file.

    Returns:
        What it holds: arrays as (nested) lists, numpy numbers as Python's.

    Raises:
        ObvertError: when the file is missing, too large or damaged, or asks for anything but plain data, which is named.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ObvertError(f"{path}: need at most {MAX_BYTES:,} bytes, got {path.stat().st_size:,}")
        content = path.read_bytes()
        _check_memo(content)
        return _Reader(BytesIO(content), encoding="latin1").load()
    except OSError as error:
        raise ObvertError(f"need {path}, got {error.strerror}") from error
    except _Refused as error:
        raise ObvertError(
            f"{path}: need lists, dicts, texts and arrays of numbers, got {error}; nothing of it was run"
        ) from error
    except Exception as error:  # a damaged pickle raises nearly anything
        told = (str(error).splitlines() or [""])[0]
        raise ObvertError(f"{path}: need a pickle, got a damaged one ({type(error).__name__}: {told[:80]})") from error


class _Refused(Exception):
    """A name outside the allow-list, or an array of other things than numbers or texts."""


def _check_memo(content: bytes) -> None:
    """Refuse a place in the memo that the file cannot have filled: room would be made for all places before it."""
    for code, place, _ in pickletools.genops(content):
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(place, int) and place > len(content):
            raise _Refused(f"a memo of {place:,} places")


class _DType:
    """Stands for numpy.dtype: numbers and texts of fixed size."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"[<>=|]?(b1|[iu][1248]|f[248]|[SU]\d{1,6})", code)):
            raise _Refused(f"an array of {str(code)[:40]!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array(list):
    """Stands for numpy.ndarray, and is the list of what it holds."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self[:] = _values(content, dtype, shape, "F" if fortran else "C")


def _values(content: Any, dtype: Any, shape: Any = (), order: Any = "C") -> Any:
    if not isinstance(dtype, _DType):
        raise _Refused(f"an array of {type(dtype).__name__}")
    raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
    return np.frombuffer(raw, dtype.dtype).reshape(shape, order=order).tolist()


def _scalar(dtype: Any, content: Any) -> Any:
    return _values(content, dtype)


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    return _Array(_values(content, dtype, shape, order))


def _no_bytes() -> bytes:
    """Empty bytes as Python 3 writes them for Python 2."""
    return b""


def _encode(text: Any, encoding: Any) -> bytes:
    """Other bytes as Python 3 writes them for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused(f"_codecs.encode to {str(encoding)[:40]!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    **{(home, kind.__name__): kind for home in ("builtins", "__builtin__") for kind in (list, dict, tuple, set, frozenset)},
    **{(home, "bytes"): _no_bytes for home in ("builtins", "__builtin__")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _Refused(ascii(f"{module}.{name}")[1:-1][:80]) from None

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("a reference outside the file")
