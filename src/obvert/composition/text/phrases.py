"""Noun phrases of a sentence, and how a sentence is cut and joined without losing its atoms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from obvert.composition.text.lexicon import DETERMINERS
from obvert.composition.text.sentence import Atom, Sentence

JOINT = re.compile(r"\s+|-|\s*,\s*|,?\s+and\s+")
"""What may stand between two attributes of one object, or between the last and the object."""
OPENING = re.compile(r"([^\W\d_]+)\s+$")


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """An object with what belongs to it: "a small red cup"."""

    start: int
    """First character, of the article if there is one."""
    stop: int
    """The character after its object."""
    determiner: str
    """In lower case: a, an, the, his, ...; empty where there is none."""
    first: int
    """Which atom of the sentence is its first."""
    noun: int
    """Which atom of the sentence is its object, and its last."""


@lru_cache(maxsize=4096)
def phrases(sentence: Sentence) -> tuple[Phrase, ...]:
    """One for each object of a sentence, in order."""
    found = []
    for noun, atom in enumerate(sentence.atoms):
        if atom.kind != "object":
            continue
        first = noun
        while first and sentence.atoms[first - 1].kind == "attribute" and _joined(sentence, first):
            first -= 1
        start = sentence.atoms[first].start
        end = sentence.atoms[first - 1].stop if first else 0
        opening = OPENING.search(sentence.text[end:start])
        determiner = opening[1].lower() if opening and opening[1].lower() in DETERMINERS else ""
        if opening and determiner:
            start = end + opening.start()
        found.append(Phrase(start=start, stop=atom.stop, determiner=determiner, first=first, noun=noun))
    return tuple(found)


def _joined(sentence: Sentence, index: int) -> bool:
    one, other = sentence.atoms[index - 1], sentence.atoms[index]
    between = sentence.text[one.stop : other.start]
    return JOINT.fullmatch(between) is not None if other.kind == "attribute" else between.isspace() or between == "-"


def word(atom: Atom, text: str) -> Sentence:
    """A sentence of one atom: like another, but saying `text`."""
    return Sentence(text=text, atoms=(replace(atom, text=text, start=0, stop=len(text)),))


def cut(sentence: Sentence, start: int, stop: int) -> Sentence:
    """A part of a sentence, with the atoms that lie in it."""
    inside = [atom for atom in sentence.atoms if start <= atom.start and atom.stop <= stop]
    moved = tuple(replace(atom, start=atom.start - start, stop=atom.stop - start) for atom in inside)
    return Sentence(text=sentence.text[start:stop], atoms=moved)


def join(parts: Sequence[Sentence]) -> Sentence:
    """Parts one after the other, as one sentence."""
    atoms, text = [], ""
    for part in parts:
        atoms += [replace(atom, start=atom.start + len(text), stop=atom.stop + len(text)) for atom in part.atoms]
        text += part.text
    return Sentence(text=text, atoms=tuple(atoms))


def spliced(sentence: Sentence, changes: Sequence[tuple[int, int, Sentence]]) -> Sentence:
    """A sentence with parts of it exchanged.

    Args:
        sentence: as it was.
        changes: first character, the character after the last, and what comes in its place; in order and apart. Where both
            are the same, something is put in.

    Returns:
        The new sentence; the atoms that are not touched keep their kinds.
    """
    parts, end = [], 0
    for start, stop, new in changes:
        parts += [cut(sentence, end, start), new]
        end = stop
    return join([*parts, cut(sentence, end, len(sentence.text))])
