"""The certificate of an audited model: its right texts are what was seen, its wrong texts what could not be learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from obvert.composition.certificate import Negative
from obvert.core import Contrast, ObvertError
from obvert.report import Block
from obvert.tasks._audit_seen import Seen, key
from obvert.tasks.certificate import certificate

LEAST = 16
"""Captions that a certificate needs."""


def certified(seen: Seen, items: Sequence[Contrast], *, seed: int = 0) -> tuple[list[dict[str, Any]], list[Block]]:
    """Build the certificate; see `obvert.tasks.certificate`.

    Args:
        seen: the features.
        items: contrasts; the first right text of each with its first picture is what was seen, the wrong ones its edits. Where
            some have pictures that can be read, the others are left out.
        seed: of batches and of captions held out.

    Returns:
        Its rows and blocks.

    Raises:
        ObvertError: for too few captions.
    """
    shown = [item for item in items if seen.has(item)] or list(items)
    rows: dict[tuple[str, Any], int] = {}
    negatives = []
    for item in shown:
        text = item.texts[item.right[0][0]]
        row = rows.setdefault((text, key(item.pictures[0]) if item.pictures else text), len(rows))
        wrong = [text for i, text in enumerate(item.texts) if i not in item.right[0]]
        negatives += [Negative(caption=row, text=text, operator=item.operator, atom=item.atom) for text in wrong]
    if len(rows) < LEAST:
        raise ObvertError(f"need {LEAST} captions or more that differ, got {len(rows)}")
    captions = [text for text, _ in rows]
    names = {picture: i for i, picture in enumerate(dict.fromkeys(picture for _, picture in rows))}
    pictures = [names[picture] for _, picture in rows]
    image = seen.image[[seen.pictures[picture] for _, picture in rows]] if seen.has(shown[0]) else None
    return certificate(seen.model.text_features, captions, image, negatives, pictures=pictures, seed=seed)
