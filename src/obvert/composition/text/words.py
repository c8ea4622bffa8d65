"""The words of a text: what a sequence has in order, and a bag without."""

from __future__ import annotations

import re

WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> list[str]:
    """The words of a text in their order, lower case, without punctuation but for an apostrophe within one."""
    return [word.replace("’", "'") for word in WORD.findall(text.lower())]
