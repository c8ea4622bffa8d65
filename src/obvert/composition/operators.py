"""SWAP, REPLACE and ADD on the atoms of a sentence, one at a time or one after the other.

    SWAP     exchanges two atoms of one kind and one group, or two noun phrases
    REPLACE  puts another word of the kind and the group
    ADD      inserts an attribute or an object

No edit exchanges equal words, reorders what is joined evenly ("a cat and a dog"), or puts a synonym. A chain is a sequence of
edits to any depth of which none undoes or overwrites another and none can be left out; none leads back to a sentence that
was there before, however it is written, or to one that a single edit gives.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
    | SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality (Hsieh et al., 2023)
    | https://arxiv.org/abs/2306.14610
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from obvert.composition.explain import Change, explain, one_word
from obvert.composition.moves import OPERATORS, Move, addresses, made, sites
from obvert.composition.text.canonical import canonical
from obvert.composition.text.lexicon import CONVERSE, meaning
from obvert.composition.text.phrases import phrases
from obvert.composition.text.sentence import Kind, Sentence
from obvert.composition.text.vocabulary import Vocabulary
from obvert.core import ObvertError

__all__ = ["OPERATORS", "Chain", "Change", "Edit", "Vocabulary", "chains", "edits", "explain", "one_word"]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A sentence and the sentence that one operator makes of it."""

    operator: str
    """swap, replace or add."""
    kind: Kind
    """Of the atoms it was done to."""
    group: str
    """Finer than the kind: colour, size, spatial, ...; "phrase" where whole noun phrases changed places."""
    before: Sentence
    after: Sentence


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Edits one after the other, each of what the one before has made."""

    edits: tuple[Edit, ...]

    @property
    def before(self) -> Sentence:
        """Where it begins."""
        return self.edits[0].before

    @property
    def after(self) -> Sentence:
        """Where it ends."""
        return self.edits[-1].after

    @property
    def depth(self) -> int:
        """How many edits it takes."""
        return len(self.edits)


def edits(sentence: Sentence, vocabulary: Vocabulary, operators: Sequence[str] = OPERATORS) -> list[Edit]:
    """Every single edit of a sentence.

    Args:
        sentence: its atoms typed.
        vocabulary: the words to replace by and to add.
        operators: which of swap, replace and add.

    Returns:
        One edit for each different text, none of which says the same as the sentence.

    Raises:
        ObvertError: for any other operator.
    """
    _known(operators)
    found: dict[str, Edit] = {}
    for site, options in sites(sentence, vocabulary, operators):
        for words in options:
            move = replace(site, words=words)
            if (after := made(sentence, move)) is not None and after.text not in found:
                found[after.text] = _edit(move, sentence, after)
    return list(found.values())


def chains(
    sentence: Sentence,
    depth: int,
    vocabulary: Vocabulary,
    rng: np.random.Generator,
    count: int,
    operators: Sequence[str] = OPERATORS,
) -> list[Chain]:
    """Draw sequences of edits of which none could be left out.

    Args:
        sentence: where each begins.
        depth: edits in each, 1 or more; the time doubles with each, since every selection of the edits is made too.
        vocabulary: the words to replace by and to add.
        rng: picks, at each step, evenly among operator, kind and group, then among the edits of these.
        count: how many to draw.
        operators: which of swap, replace and add.

    Returns:
        Chains that end in different sentences; fewer than `count` where the draws found no more, as in a sentence that offers
        only one swap.

    Raises:
        ObvertError: for a depth below 1 or an unknown operator.
    """
    _known(operators)
    if depth < 1:
        raise ObvertError(f"need a depth of 1 or more, got {depth}")
    found: dict[str, Chain] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        chain = _drawn(sentence, depth, vocabulary, rng, operators)
        if chain is not None:
            found.setdefault(canonical(chain.after), chain)
    return list(found.values())


TRIES = 4
"""Draws for each chain that is asked for."""


def _drawn(
    sentence: Sentence,
    depth: int,
    vocabulary: Vocabulary,
    rng: np.random.Generator,
    operators: Sequence[str],
) -> Chain | None:
    """One chain, or None where a step finds no way on."""
    steps: list[Edit] = []
    taken: list[Move] = []
    reached = [sentence]  # by every selection of the moves taken, that of all of them last
    while len(steps) < depth:
        now = reached[-1]
        for move in _shuffled(now, vocabulary, rng, operators):
            after = None if _overwrites(now, move, taken) else made(now, move)
            if after is None:
                continue
            others = [other for one in reached[:-1] if (other := made(one, move)) is not None]
            known = canonical(after) in map(canonical, [*reached, *others])
            if not known and not (steps and _single(sentence, after)):
                steps.append(_edit(move, now, after))
                taken.append(move)
                reached += [*others, after]
                break
        else:
            return None
    return Chain(edits=tuple(steps))


def _shuffled(sentence: Sentence, vocabulary: Vocabulary, rng: np.random.Generator, operators: Sequence[str]) -> Iterator[Move]:
    """Moves in a random order in which each operator, kind and group comes up as often."""
    by: defaultdict[tuple[str, str, str], list[tuple[Move, tuple[str, ...]]]] = defaultdict(list)
    for site, options in sites(sentence, vocabulary, operators):
        by[site.operator, site.kind, site.group] += [(site, words) for words in options]
    stacks = [(listed, rng.permutation(len(listed)).tolist()) for listed in by.values() if listed]
    while stacks:
        pick = int(rng.integers(len(stacks)))
        listed, order = stacks[pick]
        site, words = listed[order.pop()]
        yield replace(site, words=words)
        if not order:
            del stacks[pick]


def _overwrites(now: Sentence, move: Move, taken: Sequence[Move]) -> bool:
    """Whether a word is replaced that an earlier move has put there."""
    if move.operator != "replace":
        return False
    here = now.atoms[addresses(now)[move.at[0]]].text.lower()
    return any(here == word.lower() for earlier in taken for word in earlier.words)


def _single(sentence: Sentence, after: Sentence) -> bool:
    """Whether one edit leads from one sentence to the other; it could only put words that stand there, or their converses."""
    there = Vocabulary.of([after])
    words = {
        place: (*said, *(CONVERSE[meaning(word)] for word in said if meaning(word) in CONVERSE))
        for place, said in there.words.items()
    }
    wanted, (first, last) = canonical(after), _differ(sentence, after)
    for site, options in sites(sentence, replace(there, words=words)):
        touched = [number for number, *_ in site.at]
        if first - 1 <= min(touched) <= first + 1 and last - 1 <= max(touched) <= last + 1:
            reached = (made(sentence, replace(site, words=said)) for said in options)
            if any(one is not None and canonical(one) == wanted for one in reached):
                return True
    return False


def _differ(before: Sentence, after: Sentence) -> tuple[int, int]:
    """Numbers of the first and of the last noun phrase at which, or behind which, a sentence differs from another one."""
    one, other = map(_parts, (before, after))
    most = min(len(one), len(other))
    alike = next((i for i in range(most) if one[i] != other[i]), most)
    alike_from_the_end = next((i for i in range(most) if one[-1 - i] != other[-1 - i]), most)
    return alike - 1, len(one) - alike_from_the_end - 2


def _parts(sentence: Sentence) -> list[str]:
    """What stands before the first noun phrase, and each of them with what follows it."""
    ends = [0, *(phrase.start for phrase in phrases(sentence)), len(sentence.text)]
    return [sentence.text[start:stop] for start, stop in pairwise(ends)]


def _edit(move: Move, before: Sentence, after: Sentence) -> Edit:
    return Edit(operator=move.operator, kind=move.kind, group=move.group, before=before, after=after)


def _known(operators: Sequence[str]) -> None:
    if not operators or any(name not in OPERATORS for name in operators):
        raise ObvertError(f"need operators among {', '.join(OPERATORS)}, got {', '.join(operators) or 'none'}")
