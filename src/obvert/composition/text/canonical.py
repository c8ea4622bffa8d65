"""Canonical form of a sentence: the same for sentences that say the same.

Letter case, white space, the article's sound and the order of symmetric conjunctions do not count ("a cat and a dog"), nor
do listed synonyms, nor whether a relation is told from the one side or the other ("A left of B", "B right of A").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from obvert.composition.text.lexicon import CONVERSE, SYMMETRIC, meaning
from obvert.composition.text.phrases import phrases
from obvert.composition.text.sentence import Sentence

CONJUNCTIONS = {",": "and", "and": "and", ", and": "and", "as well as": "and", "or": "or", ", or": "or"}
"""What joins noun phrases evenly, and what it is read as."""
EVEN = {link: link for link in map(meaning, SYMMETRIC)}
"""Relations that hold both ways."""


@lru_cache(maxsize=4096)
def canonical(sentence: Sentence) -> str:
    """Canonical form of a sentence.

    Args:
        sentence: with its atoms, which tell where its noun phrases are.

    Returns:
        A text to compare, not to read: where two sentences share it, neither is an edit of the other.
    """
    found = phrases(sentence)
    ends = [0, *(phrase.stop for phrase in found)]
    starts = [*(phrase.start for phrase in found), len(sentence.text)]
    links = [_said(sentence, stop, start) for stop, start in zip(ends, starts, strict=True)]
    said = [_said(sentence, phrase.start, phrase.stop) for phrase in found]
    for even in (CONJUNCTIONS, EVEN):
        said, links = _merged(said, links, even)
    if len(said) == 2 and (turned := CONVERSE.get(links[1])) and [*said, links[1]] > [*said[::-1], turned]:
        said, links[1] = said[::-1], turned
    return "|".join([*(part for pair in zip(links, said, strict=False) for part in pair), links[-1]]).rstrip(" .|")


def _merged(said: list[str], links: list[str], even: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What is joined evenly becomes one part, in the order of the alphabet; and the links that are left."""
    merged: list[str] = []
    left, run, name = links[:1], said[:1], ""
    for part, link in zip([*said[1:], ""], links[1:], strict=True) if said else ():
        if part and even.get(link, "none") in ((name,) if name else even.values()):
            name = even[link]
            run.append(part)
        else:
            merged.append(f" {name} ".join(sorted(run)))
            left.append(link)
            run, name = [part], ""
    return merged, left


def repeats(sentence: Sentence) -> int:
    """How many noun phrases of a sentence say what another of it has said already."""
    said = [_said(sentence, phrase.start, phrase.stop) for phrase in phrases(sentence)]
    return len(said) - len(set(said))


def _said(sentence: Sentence, start: int, stop: int) -> str:
    """Part of a sentence in small letters, each atom as the word that stands for its meaning, "a" for "an"."""
    text, end = "", start
    for atom in sentence.atoms:
        if start <= atom.start and atom.stop <= stop:
            text += sentence.text[end : atom.start] + meaning(atom.text)
            end = atom.stop
    plain = " ".join((text + sentence.text[end:stop]).lower().split())
    return re.sub(r"\ban\b", "a", plain)
