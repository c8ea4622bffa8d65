"""Miner of hard negatives: a beam search over sequences of operators for the wrong texts that a picture is most similar to.

From t, each sentence of the beam is edited once more; of all that is new, the b most similar to the picture,

    argtop_b <F(v), G(op_k ... op_1 t)>,

are kept as negatives of that depth and edited further. Deeper negatives drawn blindly are easier; the search keeps them hard.
Guards, all by canonical form: no sentence that was met at a smaller depth, the first one included, so that nothing is undone;
none that only turns a symmetric conjunction or puts a synonym; none that another caption of the same picture says.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from obvert.composition.operators import OPERATORS, Edit, Vocabulary, edits
from obvert.composition.text.canonical import canonical
from obvert.composition.text.sentence import Sentence
from obvert.core import ObvertError

Encode = Callable[[Sequence[str]], Tensor]
"""Texts -> (N, d) unit features."""


@dataclass(frozen=True, kw_only=True)
class Negative:
    """A wrong text of a picture."""

    edits: tuple[Edit, ...]
    """How it came about."""
    similarity: float
    """Of the picture with it, in [-1, 1]."""

    @property
    def sentence(self) -> Sentence:
        """The text."""
        return self.edits[-1].after

    @property
    def depth(self) -> int:
        """How many edits it took."""
        return len(self.edits)


@dataclass(frozen=True, kw_only=True)
class Miner:
    """A beam search."""

    vocabulary: Vocabulary
    """Words to replace by and to add."""
    depth: int = 3
    """Most operators one after the other."""
    beam: int = 4
    """Negatives kept at each depth, and edited further."""
    width: int = 48
    """Edits of a sentence that are looked at, drawn at random where there are more, each operator, kind and group as often."""
    operators: tuple[str, ...] = OPERATORS
    seed: int = 0
    """Of the draws."""

    def __post_init__(self) -> None:
        if min(self.depth, self.beam, self.width) < 1 or self.seed < 0:
            told = f"{self.depth}, {self.beam}, {self.width} and {self.seed}"
            raise ObvertError(f"need a depth, a beam and a width of 1 or more and a seed of 0 or more, got {told}")

    def __call__(
        self, pictures: Tensor, sentences: Sequence[Sentence], encode: Encode, told: Sequence[Collection[str]] = ()
    ) -> list[list[Negative]]:
        """Search.

        Args:
            pictures: (N, d) unit features.
            sentences: N, each said of its picture.
            encode: the text side of the model; a text that comes twice is encoded once.
            told: of each picture the canonical forms of its other captions; none where nothing else is said of it.

        Returns:
            Of each sentence its negatives, by depth, the hardest of a depth first; fewer where its words offer no more.

        Raises:
            ObvertError: for numbers of pictures, sentences and other captions that differ.
        """
        if len(pictures) != len(sentences) or (told and len(told) != len(sentences)):
            counts = f"{len(pictures)} pictures, {len(sentences)} sentences and other captions of {len(told)}"
            raise ObvertError(f"need a picture of each sentence, got {counts}")
        met = [{canonical(s), *(told[row] if told else ())} for row, s in enumerate(sentences)]
        beams: list[list[tuple[Edit, ...]]] = [[()] for _ in sentences]
        kept: list[list[Negative]] = [[] for _ in sentences]
        for depth in range(self.depth):
            found = [self._edited(s, beams[row], met[row], (self.seed, depth, row)) for row, s in enumerate(sentences)]
            texts = list(dict.fromkeys(path[-1].after.text for paths in found for path in paths))
            if not texts:
                break
            rows, features = {text: i for i, text in enumerate(texts)}, encode(texts).to(pictures)
            for row, paths in enumerate(found):
                near = features[[rows[path[-1].after.text] for path in paths]] @ pictures[row]
                best = [(paths[i], near[i].item()) for i in near.argsort(descending=True, stable=True)[: self.beam].tolist()]
                kept[row] += [Negative(edits=path, similarity=value) for path, value in best]
                beams[row] = [path for path, _ in best]
        return kept

    def _edited(
        self, sentence: Sentence, beam: list[tuple[Edit, ...]], met: set[str], seed: tuple[int, int, int]
    ) -> list[tuple[Edit, ...]]:
        """Each new sentence that one more edit of the beam leads to; all of them count as met."""
        rng = np.random.default_rng(seed)
        found: dict[str, tuple[Edit, ...]] = {}
        for path in beam:
            options = edits(path[-1].after if path else sentence, self.vocabulary, self.operators)
            for edit in _drawn(options, self.width, rng):
                key = canonical(edit.after)
                if key not in met:
                    found.setdefault(key, (*path, edit))
        met.update(found)
        return list(found.values())


def allowed(step: int, steps: int, depth: int) -> int:
    """The curriculum: the greatest depth of negatives at a step from 0; it grows evenly from 1 to `depth` over the training."""
    return min(depth, 1 + step * depth // max(1, steps))


def _drawn(options: list[Edit], width: int, rng: np.random.Generator) -> list[Edit]:
    """At most `width` edits: one after the other of each operator, kind and group, at random within it."""
    if len(options) <= width:
        return options
    by: dict[tuple[str, str, str], list[Edit]] = {}
    for i in rng.permutation(len(options)).tolist():
        by.setdefault((options[i].operator, options[i].kind, options[i].group), []).append(options[i])
    turns = [(turn, name) for name, listed in by.items() for turn in range(len(listed))]
    return [by[name][turn] for turn, name in sorted(turns)[:width]]
