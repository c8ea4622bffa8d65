"""Stanford Online Products: every test picture searches all other test pictures.

Layout: ROOT/Stanford_Online_Products/{Ebay_test.txt, NAME_final/}. Classes are single products, so they have no names but
"NAME PRODUCT".

References:
    | Deep Metric Learning via Lifted Structured Feature Embedding (Song et al., 2016)
    | https://arxiv.org/abs/1511.06452
"""

from __future__ import annotations

from pathlib import Path

from obvert.core import PictureSet
from obvert.datasets._files import folder, rows

VARIANTS: tuple[str, ...] = ()


def read(root: Path, variant: str = "") -> PictureSet:
    """Find the pictures; ObvertError names a missing file."""
    place = folder(root / "Stanford_Online_Products")
    table = rows(place / "Ebay_test.txt", 4, skip=1)  # image_id class_id super_class_id path
    names = {product: f"{path.partition('_final')[0].replace('_', ' ')} {product}" for _, product, _, path in table}
    index = {product: i for i, product in enumerate(names)}
    return PictureSet(
        paths=[place / path for *_, path in table],
        labels=[index[product] for _, product, _, _ in table],
        classes=list(names.values()),
    )
