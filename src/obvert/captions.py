"""Read captions, in groups where several are of one picture; all at once, or one by one from a file of any size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from obvert.core import ObvertError, TextSet

PICTURES = ("image", "image_id", "group", "filename", "file_name", "file")
"""Keys that may tell which picture an object's captions are of."""
PIECE, LONGEST = 1 << 16, 1 << 26
"""Characters of JSON read at once, and most that one item may have."""
DECODER = json.JSONDecoder()


def read_captions(path: str | Path) -> TextSet:
    """Read captions in groups, one group a picture.

    Args:
        path: .tsv lines "group<TAB>caption", .jsonl objects, or a .json list of objects with "image" (or "group")
            and "caption".

    Returns:
        The captions and the group of each.

    Raises:
        ObvertError: for a file that is missing, empty or of another layout; the first bad line is named.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ObvertError(f"need a captions file, got {path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from error
    pairs: list[tuple[str, str]] = []
    try:
        items = json.loads(text) if file.suffix == ".json" else [line for line in text.split("\n") if line.strip()]
    except json.JSONDecodeError as error:
        raise ObvertError(f"{path} is not JSON: {error}") from error
    if not isinstance(items, list):
        raise ObvertError(f"need a list of captions in {path}, got {text.strip()[:60]!r}")
    for number, item in enumerate(items, 1):
        try:
            if file.suffix == ".tsv":
                group, caption = item.split("\t", 1)
            else:
                entry = json.loads(item) if isinstance(item, str) else item
                group, caption = str(entry["image"] if "image" in entry else entry["group"]), entry["caption"]
            caption = str.strip(caption)  # TypeError for what is no text
        except (ValueError, KeyError, TypeError) as error:
            raise ObvertError(f"{path}, item {number}: need a group and a caption, got {str(item)[:60]!r}") from error
        pairs.append((group, caption))
    if not pairs:
        raise ObvertError(f"need captions, got none in {path}")
    order = {group: i for i, group in enumerate(dict.fromkeys(g for g, _ in pairs))}
    return TextSet(texts=[caption for _, caption in pairs], groups=[order[group] for group, _ in pairs])


def stream_captions(path: str | Path) -> Iterator[tuple[str, str]]:
    """Read captions one by one; the file is never held whole.

    Args:
        path: .tsv lines "picture<TAB>caption"; .jsonl lines, or .json with a list, or lists in an object (as in the files of
            COCO and Karpathy), of captions or of objects with "caption", "captions" or "sentences", and "image" or
            another name of the picture; any other file has a caption a line.

    Yields:
        (picture, caption), the picture "" where none is told; empty captions too.

    Raises:
        ObvertError: for a file that is missing, without captions or of another layout; the first bad item is named.
    """
    file, items, found = Path(path), 0, False
    try:
        with file.open(encoding="utf-8-sig") as text:
            for pairs in _items(text, file.suffix):
                items, found = items + 1, found or bool(pairs)
                yield from pairs
    except (OSError, UnicodeDecodeError) as error:
        raise ObvertError(f"need a captions file, got {path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ObvertError(f"{path}, item {items + 1}: need a caption, got {error}") from error
    if not found:
        raise ObvertError(f"need captions, got none in {path}")


def _items(text: TextIO, suffix: str) -> Iterator[list[tuple[str, str]]]:
    """The (picture, caption) pairs of each item of a file; a ValueError or a TypeError tells what is no item."""
    if suffix == ".json":
        yield from map(_pairs, _Json(text).items())
    for line in text:
        if suffix not in (".tsv", ".jsonl"):
            yield [("", line.strip())]
        elif suffix == ".jsonl" and line.strip():
            yield _pairs(json.loads(line))
        elif line.strip():
            picture, tab, caption = line.partition("\t")
            if not tab or caption.startswith(("http://", "https://")):
                raise ValueError(f"{line.strip()[:60]!r} instead of picture<TAB>caption")
            yield [(picture.strip(), caption.strip())]


def _pairs(item: Any) -> list[tuple[str, str]]:
    if isinstance(item, str):
        return [("", item.strip())]
    said = _said(item)
    if said is None:
        raise ValueError(f"{str(item)[:60]!r} without caption, captions or sentences")
    picture = next((str(item[key]) for key in PICTURES if key in item), "")
    return [(picture, str.strip(one)) for one in said]  # TypeError for what is no text


def _said(item: Any) -> list[Any] | None:
    """What an object holds in a caption's place; None where it has no such place."""
    if not isinstance(item, dict) or not item.keys() & {"caption", "captions", "sentences"}:
        return None
    if "sentences" in item:
        return [one["raw"] for one in item["sentences"]]
    said = item["caption"] if "caption" in item else item["captions"]
    return said if isinstance(said, list) else [said]


class _Json:
    """A JSON file read piece by piece."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._at = file, "", 0

    def items(self) -> Iterator[Any]:
        """Elements of a list; of an object, what has captions among its values and the elements of its lists."""
        if (start := self._peek()) == "[":
            yield from self._elements("]")
        elif start == "{":
            for key in self._elements("}"):
                if not isinstance(key, str) or self._peek() != ":":
                    raise ValueError(f"no JSON after {str(key)[:60]!r}")
                self._at += 1
                inside = self._elements("]") if self._peek() == "[" else iter([self._value()])
                yield from (item for item in inside if _said(item) is not None)
        else:
            raise ValueError(f"{start or 'nothing'!r} where a list begins")
        if rest := self._peek():
            raise ValueError(f"{rest!r} after the end")

    def _elements(self, close: str) -> Iterator[Any]:
        self._at += 1
        if self._peek() == close:
            self._at += 1
            return
        while True:
            yield self._value()
            if (mark := self._peek()) not in (",", close):
                raise ValueError(f"{mark or 'nothing'!r} where ',' or {close!r} belongs")
            self._at += 1
            if mark == close:
                return

    def _peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._text):
                if not self._text[self._at].isspace():
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _value(self) -> Any:
        self._peek()
        while True:
            value, broken, end = None, None, len(self._text)
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                broken = error
            # What ends with the piece may go on in the next.
            if end == len(self._text) and len(self._text) - self._at < LONGEST and self._more():
                continue
            if broken:
                raise ValueError(f"no JSON, {broken.msg}: {self._text[self._at : self._at + 40]!r}")
            self._at = end
            return value

    def _more(self) -> bool:
        rest = self._text[self._at :]
        piece = self._file.read(max(PIECE, len(rest)))
        self._text, self._at = rest + piece, 0
        return bool(piece)
