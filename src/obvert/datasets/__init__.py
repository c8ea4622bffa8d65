"""Layouts in which collections lie on disk, one family a file: `read(root, variant)` gives a `PictureSet` or a `TextSet`.

A data set's name is its file's stem, with a variant after a slash where the family has several: "cub", "coop/dtd".
`VARIANTS` lists them; () where there are none, None where the layout itself judges what comes after the slash.
"""

from __future__ import annotations

from pathlib import Path

from obvert.core import ObvertError, PictureSet, TextSet
from obvert.registry import module, unknown


def read(name: str, root: str | Path) -> PictureSet | TextSet:
    """Find the pictures or read the texts of a data set.

    Args:
        name: "FAMILY" or "FAMILY/VARIANT", e.g. "cub", "coop/stanford_cars".
        root: the folder that holds the data set's own folder.

    Returns:
        Its files, classes, queries and gallery; or its texts in groups.

    Raises:
        ObvertError: for an unknown name, or a missing or damaged file, which is named.
    """
    family, _, variant = name.partition("/")
    layout = module("datasets", family)
    variants: list[str] | None = None if layout.VARIANTS is None else sorted(layout.VARIANTS)
    if variants is not None and variant not in (variants or [""]):
        raise ObvertError(unknown(f"variant of {family}", variant, variants) if variants else f"{family} has no variants")
    found: PictureSet | TextSet = layout.read(Path(root), variant)
    return found
