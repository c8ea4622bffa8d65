"""Natural pairs: captions of two pictures, both written by people, that are one edit apart.

Of each caption each atom is masked in turn, and each two atoms of one group together; what is left is looked up. Captions that
leave the same behind differ in the masked atom, or in the order of the two: a replacement, or a swap. Every caption is looked at
once and meets at most the last few that left the same, so that the time grows with the captions, not with their pairs.

What says the same is no pair: a synonym, a caption that the other picture has too, a symmetric conjunction told from its other
end. That a caption is not merely true of both pictures ("a dog on a sofa", "an animal on a sofa") nobody can tell from texts.

References:
    | SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality (Hsieh et al., 2023)
    | https://arxiv.org/abs/2306.14610
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from obvert.composition.text.canonical import canonical
from obvert.composition.text.lexicon import meaning
from obvert.composition.text.sentence import Atom, Kind, Sentence
from obvert.composition.text.words import words
from obvert.core import ObvertError

REMEMBERED = 4
"""Captions of other words that each masked text keeps."""
Key = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Natural:
    """Two captions one edit apart."""

    first: int
    second: int
    """Rows of the captions."""
    operator: str
    """swap or replace."""
    kind: Kind
    group: str


def natural_pairs(sentences: Sequence[Sentence], pictures: Sequence[Hashable]) -> list[Natural]:
    """Find the pairs of a corpus.

    Args:
        sentences: its captions, their atoms found.
        pictures: of each caption, which picture it is of.

    Returns:
        Each two captions once, swaps among them; the later one second.

    Raises:
        ObvertError: for another number of pictures than of captions.
    """
    if len(sentences) != len(pictures):
        raise ObvertError(f"need a picture of each of {len(sentences)} captions, got {len(pictures)}")
    forms = [canonical(sentence) for sentence in sentences]
    told: defaultdict[Hashable, set[str]] = defaultdict(set)
    for form, picture in zip(forms, pictures, strict=True):
        told[picture].add(form)
    seen: dict[tuple[Key, bool], deque[tuple[Key, int]]] = {}
    found: dict[tuple[int, int], Natural] = {}
    for row, sentence in enumerate(sentences):
        for left, said, atom in _masked(sentence):
            swapped = len(said) > 1
            rivals = seen.setdefault((left, swapped), deque(maxlen=REMEMBERED))
            for other, earlier in reversed(rivals):
                alike = forms[row] in told[pictures[earlier]] or forms[earlier] in told[pictures[row]]
                if other != said and pictures[earlier] != pictures[row] and not alike:
                    operator = "swap" if swapped else "replace"
                    pair = Natural(first=earlier, second=row, operator=operator, kind=atom.kind, group=atom.group)
                    found.setdefault((earlier, row), pair)
                    break
            if all(other != said for other, _ in rivals):
                rivals.append((said, row))
    return list(found.values())


def _masked(sentence: Sentence) -> Iterator[tuple[Key, Key, Atom]]:
    """What is left of a sentence without one atom, or without two different ones of a group; what they said; the first."""
    for atom in sentence.atoms:
        yield _left(sentence, (atom,)), (meaning(atom.text),), atom
    for one, other in combinations(sentence.atoms, 2):
        said = meaning(one.text), meaning(other.text)
        if (one.kind, one.group) == (other.kind, other.group) and said[0] != said[1]:
            yield (*_left(sentence, (one, other)), *sorted(said)), said, one


def _left(sentence: Sentence, gone: tuple[Atom, ...]) -> Key:
    """The words that stay, and of each that went its kind and group; articles go by their sound no longer."""
    parts: list[str] = []
    end = 0
    for atom in gone:
        parts += [*words(sentence.text[end : atom.start]), f"<{atom.kind} {atom.group}>"]
        end = atom.stop
    return tuple("a" if part == "an" else part for part in (*parts, *words(sentence.text[end:])))
