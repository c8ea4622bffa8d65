"""Tables of pictures or texts with labels: Parquet files, and data sets that the library `datasets` saved.

Layout: ROOT is a .parquet file, a folder of shards as on the hub (data/train-00000-of-00002.parquet), or a folder that
`save_to_disk` wrote (.arrow). Pictures lie in a column of type Image, of {bytes, path} or of bytes; labels in a ClassLabel or
a column of a name below; texts in a column of a name below. A variant names both: "parquet/image,label".

Who searches whom: where files are of a training and of a test or validation split, by their names or their folders', the
test rows search the training rows and other splits are left out. Otherwise all search all others; but captions in groups
("group", "image_id") are searched by the first of each group.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from obvert.core import ObvertError, PictureSet, TextSet
from obvert.datasets._tables import Row, features_of, find_tables, read_columns, schema_of

VARIANTS = None
"""Any: names of columns."""
GROUPS = ("group", "image_id", "image")
LABELS = ("label", "labels", "class", "category", *GROUPS)
TEXTS = ("text", "caption", "sentence", "content")
SPLITS = ("test", "validation", "valid", "val")
"""Names of splits that search, the first of them that is there."""


def read(root: Path, variant: str = "") -> PictureSet | TextSet:
    """Find the pictures or read the texts.

    Args:
        root: a table, or a folder of tables.
        variant: "" or "CONTENT,LABEL", names of columns.

    Returns:
        Pictures that are read when they are asked for, or texts.

    Raises:
        ObvertError: for a missing, damaged or unsuitable file or column, which is named.
    """
    files = find_tables(root)
    schema = schema_of(files[0])
    content, label = _named(variant, schema, files[0]) if variant else _guessed(schema, files[0])
    pictures = _is_picture(schema, content)
    paths: list[Row] = []
    texts: list[str] = []
    values: list[int | str] = []
    asked, searched = _splits(files, root)
    ends = []
    for part in (asked, searched):
        for file in part:
            columns = read_columns(file, [label] if pictures else [content, label])
            values += [_label(value, file, row) for row, value in enumerate(columns[label])]
            if pictures:
                paths += [Row(file, content, row) for row in range(len(columns[label]))]
            else:
                texts += [str(text or "") for text in columns[content]]
        ends.append(len(values))
    if not values:
        raise ObvertError(f"{root}: need rows, got none")
    kinds, labels = _classes(values, features_of(schema).get(label, {}).get("names"), files[0])
    split: dict[str, Any] = {"queries": list(range(ends[0])), "gallery": list(range(ends[0], ends[1]))} if searched else {}
    if pictures:
        return PictureSet(paths=paths, labels=labels, classes=kinds, **split)
    if not searched and label not in GROUPS:
        split = {"queries": list(range(len(texts))), "gallery": list(range(len(texts)))}
    return TextSet(texts=texts, groups=labels, **split)


def _named(variant: str, schema: Any, file: Path) -> tuple[str, str]:
    names = [name.strip() for name in variant.split(",")]
    if len(names) != 2:
        raise ObvertError(f"need two columns as in parquet/image,label, got {variant!r}")
    if missing := [name for name in names if name not in schema.names]:
        raise ObvertError(f"{file}: need a column {missing[0]!r}, got {', '.join(schema.names)}")
    return names[0], names[1]


def _guessed(schema: Any, file: Path) -> tuple[str, str]:
    """The first column of pictures, otherwise of texts, and the first ClassLabel, otherwise by the order of LABELS."""
    noted = features_of(schema)
    contents = [name for name in schema.names if _is_picture(schema, name)] + [name for name in TEXTS if name in schema.names]
    labels = [name for name in schema.names if noted.get(name, {}).get("_type") == "ClassLabel"]
    labels += [name for name in LABELS if name in schema.names and name not in contents]
    if not contents or not labels:
        need = "pictures or texts" if not contents else "labels"
        got = ", ".join(f"{field.name}: {field.type}" for field in schema)
        raise ObvertError(f"{file}: need a column of {need}, got {got[:200]}; name both as in --dataset parquet/image,label")
    return contents[0], labels[0]


def _is_picture(schema: Any, name: str) -> bool:
    import pyarrow.types as is_type

    kind = schema.field(name).type
    if features_of(schema).get(name, {}).get("_type") == "Image" or is_type.is_binary(kind) or is_type.is_large_binary(kind):
        return True
    return bool(is_type.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def _label(value: Any, file: Path, row: int) -> int | str:
    if isinstance(value, int | str) and value != -1:
        return value
    raise ObvertError(f"{file}, row {row}: need a label, a number from 0 or a text, got {str(value)[:40]}")


def _classes(values: list[Any], names: list[str] | None, file: Path) -> tuple[list[str], list[int]]:
    """Class names and labels counted from 0: noted names in their order, otherwise the values found, sorted."""
    if names:
        if strange := [value for value in values if not (isinstance(value, int) and 0 <= value < len(names))]:
            raise ObvertError(f"{file}: need labels below {len(names)}, got {strange[0]!r}")
        return [name.replace("_", " ") for name in names], values
    order = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    index = {value: i for i, value in enumerate(order)}
    return [str(value) for value in order], [index[value] for value in values]


def _splits(files: list[Path], root: Path) -> tuple[list[Path], list[Path]]:
    """The tables that search and those that are searched; all and none where they are not of two such splits."""
    of = {file: _split(file, root) for file in files}
    searching = next((split for split in SPLITS if split in of.values()), None)
    if searching is None or "train" not in of.values():
        return files, []
    return [file for file in files if of[file] == searching], [file for file in files if of[file] == "train"]


def _split(file: Path, root: Path) -> str:
    """The split that a shard's name, or else a folder's of it below the root, begins with; "" for none."""
    for name in reversed(file.relative_to(root).parts):
        if found := re.match(rf"(train|{'|'.join(SPLITS)})(?![a-z])", name):
            return found[1]
    return ""
