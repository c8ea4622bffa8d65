"""Canonical form of a sentence: the same for sentences that say the same.

Letter case, white space, the article's sound and the order of symmetric conjunctions do not count ("a cat and a dog"), nor
do listed synonyms, nor whether a relation is told from the one side or the other ("A left of B", "B right of A").
"""

from __future__ import annotations

import re
from functools import lru_cache

from obvert.composition.lexicon import CONVERSE, SYMMETRIC, meaning
from obvert.composition.phrases import Phrase, phrases
from obvert.composition.sentence import Sentence

EVEN = frozenset({*SYMMETRIC, ",", ", and", ", or"})
"""Between two noun phrases: what lets them change places."""


@lru_cache(maxsize=4096)
def canonical(sentence: Sentence) -> str:
    """Canonical form of a sentence.

    Args:
        sentence: with its atoms, which tell where its noun phrases are.

    Returns:
        A text to compare, not to read; the same for two sentences is a sure sign that one is no edit of the other.
    """
    found = phrases(sentence)
    said = [_said(sentence, phrase.start, phrase.stop, phrase) for phrase in found]
    ends = [0, *(phrase.stop for phrase in found)]
    starts = [*(phrase.start for phrase in found), len(sentence.text)]
    links = [_said(sentence, stop, start) for stop, start in zip(ends, starts, strict=True)]
    begin = 0
    for at in range(1, len(said) + 1):
        if at == len(said) or links[at] not in EVEN:
            said[begin:at] = sorted(said[begin:at])
            begin = at
    if len(said) == 2 and links[1] in CONVERSE and said[0] > said[1]:
        said, links[1] = said[::-1], CONVERSE[links[1]]
    return "|".join([*(part for pair in zip(links, said, strict=False) for part in pair), links[-1]]).rstrip(" .|")


def repeats(sentence: Sentence) -> int:
    """How many noun phrases of a sentence say what another of it has said already."""
    said = [_said(sentence, phrase.start, phrase.stop, phrase) for phrase in phrases(sentence)]
    return len(said) - len(set(said))


def _said(sentence: Sentence, start: int, stop: int, phrase: Phrase | None = None) -> str:
    """Part of a sentence in small letters, each atom as the word that stands for its meaning."""
    text, end = "", start
    for atom in sentence.atoms:
        if start <= atom.start and atom.stop <= stop:
            text += sentence.text[end : atom.start] + meaning(atom.text)
            end = atom.stop
    plain = " ".join((text + sentence.text[end:stop]).lower().split())
    return re.sub(r"\ban\b", "a", plain) if phrase is None else re.sub(r"^an ", "a ", plain)
