"""Read captions in groups: several captions of one picture."""

from __future__ import annotations

import json
from pathlib import Path

from obvert.core import ObvertError, TextSet


def read_captions(path: str | Path) -> TextSet:
    """Read captions in groups, one group a picture.

    Args:
        path: as `read_pairs` takes it.

    Returns:
        The captions and the group of each.

    Raises:
        ObvertError: for a file that is missing, empty or of another layout; the first bad line is named.
    """
    pairs = read_pairs(path)
    order = {group: i for i, group in enumerate(dict.fromkeys(g for g, _ in pairs))}
    return TextSet(texts=[caption for _, caption in pairs], groups=[order[group] for group, _ in pairs])


def read_pairs(path: str | Path) -> list[tuple[str, str]]:
    """Read captions with what each is of.

    Args:
        path: .tsv lines "group<TAB>caption", .jsonl objects, or a .json list of objects with "image" (or "group")
            and "caption", which is a text or a list of texts.

    Returns:
        (group, caption) of each caption, one or more.

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
            captions = caption if isinstance(caption, list) else [caption]
            pairs += [(group, str.strip(one)) for one in captions]  # TypeError for what is no text
        except (ValueError, KeyError, TypeError) as error:
            raise ObvertError(f"{path}, item {number}: need a group and a caption, got {str(item)[:60]!r}") from error
    if not pairs:
        raise ObvertError(f"need captions, got none in {path}")
    return pairs
