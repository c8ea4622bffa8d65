"""What a corpus can teach: whether it holds what an operator makes of its captions, as the caption of another picture.

An encoder is pushed to tell a caption from its edit only where both are captions of the corpus. Of each caption drawn and each
sort of edit (operator, kind and group of the atoms) one legal edit is drawn evenly, and looked for:

    replace, add    the edited caption itself
    swap            any caption of the edited bag in another order than its own: the weakest thing that would teach order

Captions are drawn independently, so the share found has a binomial interval. Words are replaced by, and added from, the most
frequent ones of the corpus; rarer ones would be found less often still.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
    | Probable inference, the law of succession, and statistical inference (Wilson, 1927)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from obvert.composition.corpora.corpus import Corpus
from obvert.composition.moves import Move, made, sites
from obvert.composition.text.sentence import Sentence
from obvert.composition.text.vocabulary import Vocabulary
from obvert.composition.text.words import words
from obvert.metrics import wilson

Sort = tuple[str, str, str]
"""Operator, kind and group."""
MOST = 30
"""Words of each place that are put in, the most frequent of the sample."""
TRIES = 20
"""Moves of a sort that are tried; where none of them is an edit, the caption counts as offering none."""
SHOWN = 3
"""Examples kept of what is found, and of what is not."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One sort of edit, and how often the corpus holds what it makes."""

    operator: str
    kind: str
    group: str
    """Of the atoms; "" where all groups of the kind are taken together."""
    captions: int
    """That offer such an edit; of each, one was drawn."""
    taught: int
    """Of which the corpus holds what would teach it."""
    exact: int
    """Of which it holds the edited caption word for word."""
    found: tuple[tuple[str, str], ...]
    """Examples (caption, edit) of what is taught."""
    missing: tuple[tuple[str, str], ...]
    """Examples of what is not."""

    @property
    def share(self) -> float:
        """Of the captions, those of which the edit is taught, in [0, 1]."""
        return self.taught / self.captions

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, at 95 %."""
        return wilson(self.taught, self.captions)


def lessons(corpus: Corpus, sentences: Sequence[Sentence], pictures: Sequence[int], *, seed: int = 0) -> list[Lesson]:
    """Look for the edits of captions in the corpus that they were drawn from.

    Args:
        corpus: all of it.
        sentences: a sample of its captions, parsed.
        pictures: of each the hash of its picture, whose own captions teach nothing.
        seed: of the edits.

    Returns:
        A lesson for each operator and kind, then one for each of their groups; the operators as they come, the most frequent
        first within one.
    """
    rng = np.random.default_rng(seed)
    vocabulary = Vocabulary.of(sentences, most=MOST)
    drawn: list[tuple[int, Sort, str]] = []
    for row, sentence in enumerate(sentences):
        mine = {sort: after.text for sort, after in one_of_each(sentence, vocabulary, rng)}
        for operator, kind in dict.fromkeys(sort[:2] for sort in mine):
            groups = [sort for sort in mine if sort[:2] == (operator, kind)]
            pick = groups[int(rng.integers(len(groups)))]
            drawn += [(row, (operator, kind, ""), mine[pick]), *((row, sort, mine[sort]) for sort in groups if sort[2])]
    exact, taught = _held(corpus, sentences, pictures, drawn)
    by: defaultdict[Sort, list[int]] = defaultdict(list)
    for number, (_, sort, _) in enumerate(drawn):
        by[sort].append(number)
    order = sorted(by, key=lambda sort: (("swap", "replace", "add").index(sort[0]), sort[1], sort[2] != "", -len(by[sort])))
    return [_lesson(sort, rng.permutation(by[sort]), sentences, drawn, exact, taught) for sort in order]


def one_of_each(sentence: Sentence, vocabulary: Vocabulary, rng: np.random.Generator) -> Iterator[tuple[Sort, Sentence]]:
    """One legal edit of each sort that a sentence offers, drawn evenly among those of the sort."""
    by: defaultdict[Sort, list[tuple[Move, tuple[str, ...]]]] = defaultdict(list)
    for site, options in sites(sentence, vocabulary):
        by[site.operator, site.kind, site.group] += [(site, said) for said in options]
    for sort, choices in by.items():
        for i in rng.permutation(len(choices))[:TRIES]:
            site, said = choices[i]
            if (after := made(sentence, replace(site, words=said))) is not None:
                yield sort, after
                break


def _held(
    corpus: Corpus, sentences: Sequence[Sentence], pictures: Sequence[int], drawn: Sequence[tuple[int, Sort, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Of each edit drawn, whether it is there word for word, and whether what teaches it is."""
    texts = [text for _, _, text in drawn] + [sentence.text for sentence in sentences]
    sequence, bag = corpus.holds(texts, [*(pictures[row] for row, _, _ in drawn), *pictures])
    exact = sequence[: len(drawn)] > 0
    taught = exact.copy()
    for number, (row, sort, text) in enumerate(drawn):
        if sort[0] == "swap":
            same = sorted(words(text)) == sorted(words(sentences[row].text))
            taught[number] = bag[number] > (sequence[len(drawn) + row] if same else 0)
    return exact, taught


def _lesson(
    sort: Sort,
    numbers: np.ndarray,
    sentences: Sequence[Sentence],
    drawn: Sequence[tuple[int, Sort, str]],
    exact: np.ndarray,
    taught: np.ndarray,
) -> Lesson:
    def examples(wanted: bool) -> tuple[tuple[str, str], ...]:
        mine = [number for number in numbers if taught[number] == wanted][:SHOWN]
        return tuple((sentences[drawn[number][0]].text, drawn[number][2]) for number in mine)

    operator, kind, group = sort
    return Lesson(
        operator=operator,
        kind=kind,
        group=group,
        captions=len(numbers),
        taught=int(taught[numbers].sum()),
        exact=int(exact[numbers].sum()),
        found=examples(True),
        missing=examples(False),
    )
