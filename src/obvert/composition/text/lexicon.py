"""The closed lists: words of colour, size, material, place and so on, which words join evenly, and which mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from obvert.composition.text.sentence import KINDS, Kind

_LISTS: dict[str, list[list[str]]] = {}
"""Of each heading, its lines, each cut at the commas."""
for _line in (files("obvert") / "composition" / "text" / "lexicon.txt").read_text(encoding="utf-8").splitlines():
    if _head := re.fullmatch(r"\[(.+)\]", _line):
        _LISTS[_head[1]] = []
    elif _line and not _line.startswith("#"):
        list(_LISTS.values())[-1].append([phrase.strip() for phrase in _line.split(",")])


def listed(head: str) -> list[str]:
    """The words and phrases under a heading of the file."""
    return [phrase for line in _LISTS[head] for phrase in line]


def _headed() -> Iterator[tuple[Kind, str, list[str]]]:
    for head in _LISTS:
        kind, _, group = head.partition(" ")
        for known in KINDS:
            if kind == known:
                yield known, group, listed(head)


GROUPS: dict[tuple[Kind, str], tuple[str, ...]] = {(kind, group): tuple(listed) for kind, group, listed in _headed()}
"""Words and phrases by kind and group."""
TYPES: dict[str, tuple[Kind, str]] = {phrase: typed for typed, listed in GROUPS.items() for phrase in listed}
"""Kind and group of a word or phrase."""
LONGEST = max(len(phrase.split()) for phrase in TYPES)
"""Most words of a phrase."""
FUNCTION = frozenset(listed("function"))
"""Words that say nothing by themselves: they are never atoms."""
DETERMINERS = frozenset(listed("determiner"))
"""Words that open a noun phrase."""
SYMMETRIC = frozenset(listed("symmetric"))
"""Relations whose two sides may change places without a change of meaning."""
VERBS = frozenset(listed("verb base"))
"""Verbs that captions are made of, uninflected."""
EITHER = frozenset(listed("either"))
"""Attributes that can also be what a phrase is about: an orange, made of glass."""
UNNAMED = "any"
"""Group of a word that stands for any other of its kind ("shape"): it takes no place, and nothing takes its own."""
SYNONYM = {phrase: line[0] for line in _LISTS["synonyms"] for phrase in line[1:]}
"""Of a word or phrase, the one that stands for all of its meaning."""
BROADER: dict[str, set[str]] = {}
"""Of a word, those that are true of whatever it is true of: a man is a person."""
for _same in _LISTS["broader"]:
    for _narrow in _same[1:]:
        BROADER.setdefault(_narrow, set()).add(_same[0])
CONVERSE = {one: other for line in _LISTS["converses"] for one, other in (line, line[::-1])}
"""What a relation becomes when its two sides change places."""


def meaning(phrase: str) -> str:
    """The same for words and phrases that mean the same, in lower case and with single spaces."""
    plain = " ".join(phrase.lower().split())
    return SYNONYM.get(plain, plain)
