"""From words with tags to atoms: nouns are objects, what goes before a noun is an attribute, verbs and places are relations.

The tags are universal parts of speech (NOUN, PROPN, ADJ, VERB, AUX, ADP, ADV, NUM, DET, PRON, CCONJ, SCONJ, PART, PUNCT, X), as
any tagger gives them. The closed lists go before the tags, phrases of several words first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from obvert.composition.text.lexicon import DETERMINERS, EITHER, FUNCTION, LONGEST, TYPES
from obvert.composition.text.sentence import Atom, Kind, Sentence

WORD = re.compile(r"[^\W_]+(?:[-'’./&][^\W_]+)*")
NOUNS = frozenset({"NOUN", "PROPN"})
BREAK = frozenset({"ADP", "CCONJ", "SCONJ", "PUNCT", "DET", "AUX", "PART"})


@dataclass(frozen=True, kw_only=True)
class Token:
    """A word of a text."""

    start: int
    stop: int
    text: str
    """In small letters."""
    tag: str = "X"
    """Its part of speech."""


def tokens(text: str) -> list[Token]:
    """The words of a text, hyphens and apostrophes within them, without their punctuation."""
    return [Token(start=word.start(), stop=word.end(), text=word[0].lower()) for word in WORD.finditer(text)]


def typed(text: str, words: Sequence[Token]) -> Sentence:
    """Type the atoms of a text.

    Args:
        text: as it stands.
        words: its words, in order, with their tags.

    Returns:
        The sentence.
    """
    atoms: list[Atom] = []
    at = 0
    while at < len(words):
        size, kind, group = _atom(text, words, at)
        if kind is not None:
            start, stop = words[at].start, words[at + size - 1].stop
            atoms.append(Atom(kind=kind, text=text[start:stop], start=start, stop=stop, group=group))
        at += size
    return Sentence(text=text, atoms=tuple(atoms))


def _atom(text: str, words: Sequence[Token], at: int) -> tuple[int, Kind | None, str]:
    """How many words the atom that begins here has, its kind if it is one, and its group."""
    if (size := _phrase(text, words, at)) > 0:
        return size, *TYPES[" ".join(word.text for word in words[at : at + size])]
    word = words[at]
    kind, group = TYPES.get(word.text, (None, ""))
    heads = _followed(text, words, at)
    if word.text in FUNCTION or (word.tag in {"AUX", "PRON", "DET", "CCONJ", "SCONJ", "PART", "PUNCT"} and kind is None):
        return 1, None, ""
    if kind == "attribute":
        noun = word.tag in NOUNS and not heads and word.text in EITHER
        return (1, "object", "") if noun else (1, "attribute", group)
    if kind == "relation" and heads and at and words[at - 1].text in DETERMINERS:  # an outside restaurant
        return 1, "attribute", ""
    if word.tag == "VERB" and not _compound(word, heads):
        return 1, "relation", "action"
    if kind == "relation":
        return 1, "relation", group
    if word.tag in NOUNS:
        return (1, "attribute", "noun") if heads else (1, "object", "")
    if word.tag in {"ADJ", "NUM", "VERB"}:
        return 1, "attribute", "number" if word.tag == "NUM" else ""
    if word.tag == "ADV" and word.text.endswith("ly"):
        return 1, "attribute", "manner"
    return 1, ("relation" if word.tag == "ADP" else None), "other" if word.tag == "ADP" else ""


def _phrase(text: str, words: Sequence[Token], at: int) -> int:
    """How many words the listed phrase of several words that begins here has; 0 where none does."""
    for size in range(min(LONGEST, len(words) - at), 1, -1):
        said = " ".join(word.text for word in words[at : at + size])
        if said in TYPES and " ".join(text[words[at].start : words[at + size - 1].stop].lower().split()) == said:
            return size
    return 0


def _followed(text: str, words: Sequence[Token], at: int) -> bool:
    """Whether a noun comes next, so that this word belongs to it."""
    if at + 1 >= len(words) or not text[words[at].stop : words[at + 1].start].isspace():
        return False
    following = words[at + 1]
    if following.text in FUNCTION or _phrase(text, words, at + 1):
        return False
    if following.tag in NOUNS:
        return True
    return (following.tag in {"ADJ", "NUM"} or _compound(following, True)) and _followed(text, words, at + 1)


def _compound(word: Token, heads: bool) -> bool:
    """Whether a participle belongs to a noun after it: snow covered hills."""
    return heads and word.tag == "VERB" and word.text.endswith("ed")
