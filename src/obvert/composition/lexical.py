"""Parts of speech without a tagger: closed lists, endings, and the place of a word between its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from obvert.composition.grammar import plural
from obvert.composition.lexicon import DETERMINERS, EITHER, FUNCTION, TYPES, VERBS, listed
from obvert.composition.tags import Token

AUXILIARY, JOINING = listed("auxiliary"), listed("joining")
PAST = listed("verb past")
"""Irregular pasts of the verbs of captions."""
NO_VERB = listed("noun like a verb")
"""Nouns with a verb's ending."""
ADJECTIVE = re.compile(r"\w{3,}(ous|ful|less|ish|able|ible|ical|ive|ern|ese)|\w+-(colou?red|shaped|sized|haired|eyed|filled)")


def tagged(words: Sequence[Token]) -> list[Token]:
    """Words with their parts of speech, guessed.

    Args:
        words: of one text, in order.

    Returns:
        The same words with tags.
    """
    found: list[Token] = []
    for at, word in enumerate(words):
        after = words[at + 1].text if at + 1 < len(words) else ""
        found.append(replace(word, tag=_closed(word.text) or _open(word.text, found[-1] if found else None, after)))
    return found


def _closed(word: str) -> str:
    """The part of speech of a listed word; empty for any other."""
    if word in AUXILIARY:
        return "AUX"
    if word in DETERMINERS:
        return "DET"
    if word in JOINING:
        return "CCONJ"
    if word in FUNCTION:
        return "PRON"
    return "ADP" if TYPES.get(word, ("", ""))[0] == "relation" else ""


def _open(word: str, before: Token | None, after: str) -> str:
    """The part of speech of any other word, by its ending and its neighbours."""
    place = before.tag if before is not None else ""
    due, ends = place in {"DET", "ADJ", "NUM"}, not after or _closed(after) != ""  # a noun has yet to come; none comes next
    kind, group = TYPES.get(word, ("", ""))
    if kind == "attribute":
        named = ends and (due or place == "ADP") and word in EITHER
        return "NOUN" if named else "NUM" if group == "number" else "ADJ"
    if _participle(word):
        return "VERB" if not due else "NOUN" if ends else "ADJ"
    if before is not None and (place in {"NOUN", "PRON"} or before.text == "to"):
        many = place != "NOUN" or plural(before.text)
        if (word in VERBS and many) or (_third(word) and not plural(before.text)):
            return "VERB"
    if word.endswith("ly") and len(word) > 5:
        return "ADV"
    return "ADJ" if ADJECTIVE.fullmatch(word) and not ends else "NOUN"


def _participle(word: str) -> bool:
    ending = (word.endswith("ing") and len(word) > 5) or (word.endswith("ed") and len(word) > 4) or word in PAST
    return ending and word not in NO_VERB


def _third(word: str) -> bool:
    stems = (word[:-1], word[:-2], word[:-3] + "y")
    return word.endswith("s") and any(stem in VERBS for stem in stems)
