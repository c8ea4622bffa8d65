"""Large Movie Review Dataset: test reviews search the training reviews; relevant are those of the same sentiment.

Layout: ROOT/aclImdb/{train,test}/{pos,neg}/NUMBER_RATING.txt. The variant "small" takes 500 reviews of each of the four
folders, spread evenly over the films.

References:
    | Learning Word Vectors for Sentiment Analysis (Maas et al., 2011)
    | https://ai.stanford.edu/~amaas/data/sentiment/
"""

from __future__ import annotations

import re
from pathlib import Path

from obvert.core import ObvertError, TextSet
from obvert.datasets._files import folder, text

VARIANTS = ("", "small")
SMALL = 500
"""Reviews of each folder in the small variant."""


def read(root: Path, variant: str = "") -> TextSet:
    """Read the reviews; ObvertError names a missing folder."""
    texts: list[str] = []
    groups: list[int] = []
    ends: list[int] = []
    for part in ("test", "train"):
        for group, name in enumerate(("neg", "pos")):
            place = folder(root / "aclImdb" / part / name)
            files = sorted(place.glob("*.txt"), key=lambda file: (int(re.match(r"\d*", file.name)[0] or 0), file.name))  # type: ignore[index]
            if not files:
                raise ObvertError(f"need reviews {place}/NUMBER_RATING.txt, got none")
            if variant:
                files = files[:: max(1, len(files) // SMALL)][:SMALL]
            texts += [re.sub(r"(<br\s*/?>\s*)+", " ", text(file)).strip() for file in files]
            groups += [group] * len(files)
        ends.append(len(texts))
    return TextSet(texts=texts, groups=groups, queries=list(range(ends[0])), gallery=list(range(ends[0], ends[1])))
