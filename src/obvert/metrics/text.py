"""Whether a text is the wanted one, letter by letter: exact match, word and character error rate.

    error rate = (substitutions + deletions + insertions) / length of the wanted text

All are taken after `normalise`: case, punctuation and the number of spaces do not count.

References:
    | Binary codes capable of correcting deletions, insertions, and reversals (Levenshtein, 1966)
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor


def normalise(text: str) -> str:
    """A text in lower case, its punctuation taken for spaces but apostrophes taken out, with single spaces."""
    letters = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    return " ".join("".join(" " if unicodedata.category(c)[0] in "PSZC" else c for c in letters).split())


def exact_match(found: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """(B,) float64: 1 where both texts are one after `normalise`, 0 elsewhere."""
    return _each(found, wanted, lambda one, other: float(one == other))


def word_error_rate(found: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """Edits of words that make the wanted text of the found one, over the wanted words.

    Args:
        found: B texts.
        wanted: B texts.

    Returns:
        (B,) float64, 0 is right, above 1 where much is said that was not wanted; NaN where no word is wanted.
    """
    return _each(found, wanted, lambda one, other: _rate(one.split(), other.split()))


def character_error_rate(found: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """As `word_error_rate`, of characters, spaces between words included."""
    return _each(found, wanted, _rate)


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Least number of substitutions, deletions and insertions between two sequences."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


def _rate(found: Sequence[Hashable], wanted: Sequence[Hashable]) -> float:
    return edit_distance(found, wanted) / len(wanted) if wanted else math.nan


def _each(found: Sequence[str], wanted: Sequence[str], measure: Callable[[str, str], float]) -> Tensor:
    if isinstance(found, str) or isinstance(wanted, str) or len(found) != len(wanted):
        raise ValueError(f"need as many found texts as wanted ones, in two lists, got {found!r} and {wanted!r}"[:200])
    pairs = zip(map(normalise, found), map(normalise, wanted), strict=True)
    return torch.tensor([measure(one, other) for one, other in pairs], dtype=torch.float64)
