"""Whether a caption is in English, by the words that every English caption is held together by.

Of SugarCrepe's 7,511 captions none has fewer than a fifth of its words in the lexicon ("a", "on", "two", "red", ...); German,
French, Spanish, Dutch and Portuguese ones have about a tenth or less.
"""

from __future__ import annotations

from obvert.composition.text.lexicon import DETERMINERS, FUNCTION, SYMMETRIC, TYPES
from obvert.composition.text.words import words

KNOWN = frozenset({word for phrase in TYPES for word in phrase.split()} | FUNCTION | DETERMINERS | SYMMETRIC)
SHARE = 0.2
"""Of the words of a caption, how many must be known."""
LEAST = 4
"""Words below which nothing is concluded from them."""
LATIN = "\u024f"
"""The last letter of the Latin script with its accents."""


def looks_english(text: str) -> bool:
    """Whether a text may be English; one of few words is taken to be, unless most of its letters are of another script."""
    letters = [letter for letter in text if letter.isalpha()]
    if sum(letter > LATIN for letter in letters) > len(letters) / 2:
        return False
    said = words(text)
    return len(said) < LEAST or sum(word in KNOWN for word in said) >= SHARE * len(said)
