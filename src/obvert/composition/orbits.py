"""Orbits: every sentence that the swaps of a sentence lead to, and how fast their number grows with the depth.

An encoder that is blind to each swap is blind on the whole orbit, whose size grows exponentially.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from dataclasses import dataclass

from obvert.composition.operators import edits
from obvert.composition.text.canonical import canonical
from obvert.composition.text.sentence import Sentence
from obvert.composition.text.vocabulary import Vocabulary
from obvert.core import ObvertError


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """What the swaps of a sentence lead to."""

    sentences: tuple[Sentence, ...]
    """Each once, however it is written; the sentence itself first, then by depth."""
    growth: tuple[int, ...]
    """How many are reached within 0, 1, 2, ... swaps; shorter than was asked for where nothing new was left, or it was cut."""
    cut: bool
    """Whether there were more than was allowed."""


def orbit(sentence: Sentence, depth: int, *, most: int = 10_000) -> Orbit:
    """Follow all swaps of a sentence.

    Args:
        sentence: where they begin.
        depth: most swaps one after the other, 0 or more.
        most: sentences to stop at.

    Returns:
        The distinct sentences, and how many are reached within each number of swaps: the counts of complete depths alone.

    Raises:
        ObvertError: for a depth below 0 or a limit below 1.
    """
    if depth < 0 or most < 1:
        raise ObvertError(f"need a depth of 0 or more and a limit of 1 or more, got {depth} and {most}")
    nothing = Vocabulary(words={})
    found = {canonical(sentence): sentence}
    growth, edge = [1], [sentence]
    for _ in range(depth):
        new: dict[str, Sentence] = {}
        for edit in (edit for known in edge for edit in edits(known, nothing, ("swap",))):
            key = canonical(edit.after)
            if key not in found and key not in new:
                if len(found) + len(new) == most:
                    return Orbit(sentences=(*found.values(), *new.values()), growth=tuple(growth), cut=True)
                new[key] = edit.after
        if not new:
            break
        found |= new
        edge = list(new.values())
        growth.append(len(found))
    return Orbit(sentences=tuple(found.values()), growth=tuple(growth), cut=False)
