"""Parts of speech without a tagger: closed lists, endings, and the place of a word between its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from obvert.composition.text.grammar import plural
from obvert.composition.text.lexicon import DETERMINERS, EITHER, FUNCTION, TYPES, VERBS, listed
from obvert.composition.text.tags import Token

AUXILIARY, JOINING = listed("auxiliary"), listed("joining")
PAST = listed("verb past")
"""Irregular pasts of the verbs of captions."""
NO_VERB = listed("noun like a verb")
"""Nouns with a verb's ending."""
PARTICIPLE = re.compile(r"\w*[aeiouy]\w*(ing|ed)")
"""A vowel, and an ending: not "thing", not "red"."""
OPENS_PHRASE = frozenset({"next", "adjacent", "close", "far", "away", "together"})
"""Words that begin a phrase of place."""
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
        before, after = found[-1] if found else None, [other.text for other in words[at + 1 : at + 3]]
        joins = word.text == "that" and before is not None and before.tag == "NOUN"  # a shirt that reads
        found.append(replace(word, tag="PRON" if joins else _closed(word.text) or _open(word.text, before, after)))
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


def _open(word: str, before: Token | None, following: Sequence[str]) -> str:
    """The part of speech of any other word, by its ending and its neighbours."""
    after, beyond = (*following, "", "")[:2]
    place = before.tag if before is not None else ""
    due = place in {"DET", "ADJ", "NUM"}  # a noun has yet to come
    ends = not after or _closed(after) != "" or after in OPENS_PHRASE  # none comes next
    kind, group = TYPES.get(word, ("", ""))
    if kind == "attribute":
        joined = after in JOINING and TYPES.get(beyond, ("", ""))[0] == "attribute"  # an orange and white cat
        named = word in EITHER and (due or place in {"ADP", "NOUN"}) and (ends or participle(after)) and not joined
        return "NOUN" if named else "NUM" if group == "number" else "ADJ"
    if word.endswith("ed") and "-" in word:
        return "ADJ"
    if participle(word):
        return ("NOUN" if ends else "ADJ") if due else "ADJ" if place == "ADP" and word.endswith("ed") and not ends else "VERB"
    if before is not None and place in {"NOUN", "PRON", "PART"} and _finite(word, before, after):
        return "VERB"
    if word.endswith("ly") and len(word) > 5:
        return "ADV" if ends or participle(after) else "ADJ"
    return "ADJ" if ADJECTIVE.fullmatch(word) and not ends else "NOUN"


def participle(word: str) -> bool:
    """Whether a word looks like a participle or a past: running, parked, worn."""
    return (PARTICIPLE.fullmatch(word) is not None or word in PAST) and word not in NO_VERB


def _finite(word: str, before: Token, after: str) -> bool:
    """Whether a word agrees with the noun before it, and is a listed verb or has an object of its own."""
    noun, many = before.tag == "NOUN", plural(before.text)
    owns = after in DETERMINERS
    third = word.endswith("s") and (not (noun and many) or owns)
    stems = {word[:-1], word[:-2], word[:-3] + "y"} if third else {word} if many or not noun else set()
    return bool(stems & VERBS) or (bool(stems) and noun and third != many and owns)
