"""The words of a text, in lower case: what a bag of words holds."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text in their order, lower case, without punctuation but for apostrophes and hyphens inside."""
    return WORD.findall(text.lower())
