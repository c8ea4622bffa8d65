"""The worst examples of an audit: of each kind that fails, the contrast that fails most clearly, with its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from obvert.core import Contrast
from obvert.io import read_images
from obvert.report import Gallery, GalleryRow
from obvert.tasks._audit_answers import Choices
from obvert.tasks._audit_rows import grouped, label
from obvert.tasks._audit_seen import Seen


def worst(seen: Seen, items: Sequence[Contrast], found: Choices, *, most: int = 8) -> Gallery | None:
    """Of the kinds with the lowest accuracy, the contrast whose right text lies furthest below a wrong one.

    Args:
        seen: the features.
        items: the contrasts.
        found: what was answered to them.
        most: how many kinds are shown.

    Returns:
        Pictures with their texts, the highest score first; None where nothing is answered wrongly.
    """
    kinds = grouped(items, found.rows)
    rows = []
    for name in sorted(kinds, key=lambda name: found.credit[kinds[name]].mean().item())[:most]:
        place = min(kinds[name], key=lambda place: found.margin[place].item())
        if found.credit[place] < 1:
            item = items[found.rows[place]]
            rows.append(GalleryRow(query=_shown(item.pictures[0]), label=label(name), results=_ranked(seen, item)))
    if not rows:
        return None
    return Gallery(title="Worst examples", queries=rows, note=NOTE)


NOTE = (
    "Texts of each picture by their cosine, the nearest first; green is right of it. One contrast of each kind that fails most."
)


def _ranked(seen: Seen, item: Contrast) -> dict[str, list[tuple[Any, str, bool | None]]]:
    """The texts of each picture by their scores, the nearest marked as right or wrong; of a further picture, itself first."""
    shown: dict[str, list[tuple[Any, str, bool | None]]] = {}
    for i, (scores, right) in enumerate(zip(seen.scores(item), item.right, strict=True)):
        picture: list[tuple[Any, str, bool | None]] = [(_shown(item.pictures[i]), "", None)] if i else []
        order = scores.argsort(descending=True, stable=True).tolist()
        told = [f"{scores[j]:.4f}" + ", right" * (j in right) for j in order]
        texts = [(item.texts[j], said, j in right if j == order[0] else None) for j, said in zip(order, told, strict=True)]
        shown["the other picture" if i else "this picture"] = [*picture, *texts]
    return shown


def _shown(picture: Any) -> Any:
    (found,) = read_images(picture)
    return found
