"""Benchmarks of contrasts, each in the layout of its publishers, one a file: `read(root, variant, images)` gives a `ContrastSet`.

A benchmark's name is its file's stem with dashes, with a part after a slash where it has several: "sugarcrepe" is all of it,
"sugarcrepe/swap_att" one part. `VARIANTS` lists them; () where there are none. Texts alone can be read without pictures. What
cannot be used is left out, counted and told: an item whose picture is missing, whose wrong text is its right one, or that
lacks a text.
"""

from __future__ import annotations

from pathlib import Path

from obvert.core import ContrastSet, ObvertError
from obvert.registry import module, unknown


def read(name: str, root: str | Path, images: str | Path | None = None) -> ContrastSet:
    """Read a benchmark from the user's files.

    Args:
        name: "NAME" or "NAME/VARIANT", e.g. "sugarcrepe", "valse/existence".
        root: the folder that holds its files, or the file.
        images: the folder that holds its pictures; None reads the texts alone, but pictures that lie in a table with them.

    Returns:
        Its items, how its publishers score them, and what was left out.

    Raises:
        ObvertError: for an unknown name, a missing or damaged file, which is named with the item, or when no item is left.
    """
    family, _, variant = name.partition("/")
    layout = module("contrasts", family)
    if variant and variant not in layout.VARIANTS:
        many = sorted(layout.VARIANTS)
        raise ObvertError(unknown(f"variant of {family}", variant, many) if many else f"{family} has no variants")
    if images is not None and not Path(images).is_dir():
        raise ObvertError(f"need a folder of pictures, got {images}: {'a file' if Path(images).exists() else 'nothing there'}")
    found: ContrastSet = layout.read(Path(root), variant, None if images is None else Path(images))
    return found
