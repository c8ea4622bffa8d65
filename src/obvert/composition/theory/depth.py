"""Depth: how many sentences iterated operators reach, and how far these lie from the picture.

n atoms of one group have n! arrangements; those k swaps away are counted by Stirling numbers of the first kind,

    sum_k (arrangements k swaps away) x^k = (1 + x) (1 + 2 x) ... (1 + (n - 1) x)

An encoder blind to each swap is blind to all of them. For one that is not, the margin <F(v), G(t) - G(op^k t)> grows with the
depth k on the average: deeper negatives are easier, unless a beam search keeps those that are most similar to the picture.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from obvert.composition.operators import Vocabulary, chains
from obvert.composition.repair.miner import Encode, Miner
from obvert.composition.text.sentence import Sentence
from obvert.core import ObvertError


def arrangements(atoms: int, depth: int) -> list[int]:
    """How many arrangements of different atoms lie within 0, 1, ..., depth swaps.

    Args:
        atoms: how many, 1 or more, all of one group.
        depth: most swaps, 0 or more.

    Returns:
        The counts, up to the depth at which all atoms! are reached.

    Raises:
        ObvertError: for numbers below these.
    """
    if atoms < 1 or depth < 0:
        raise ObvertError(f"need an atom or more and a depth of 0 or more, got {atoms} and {depth}")
    exactly = [1]
    for i in range(1, atoms):
        exactly = [a + i * b for a, b in zip([*exactly, 0], [0, *exactly], strict=True)]
    return [sum(exactly[: k + 1]) for k in range(min(depth, atoms - 1) + 1)]


def random_margins(
    pictures: Tensor, sentences: Sequence[Sentence], encode: Encode, vocabulary: Vocabulary, *, depth: int, count: int, seed: int
) -> Tensor:
    """Margins of negatives drawn at each depth.

    Args:
        pictures: (N, d) features.
        sentences: N, each said of its picture.
        encode: the text side of the model.
        vocabulary: words to replace by and to add.
        depth: of the deepest, 1 or more.
        count: chains drawn of each sentence at each depth.
        seed: of the draw.

    Returns:
        (N, depth) means of <F(v), G(t) - G(op^k t)>; NaN where a sentence has no chain.
    """
    rng = np.random.default_rng(seed)
    ends = [[[chain.after for chain in chains(s, k, vocabulary, rng, count)] for s in sentences] for k in range(1, depth + 1)]
    own = _similar(pictures, [[s] for s in sentences], encode)
    return torch.stack(
        [
            torch.cat([to - near.mean() for to, near in zip(own, _similar(pictures, found, encode), strict=True)])
            for found in ends
        ],
        1,
    )


def hardest_margins(pictures: Tensor, sentences: Sequence[Sentence], encode: Encode, miner: Miner) -> Tensor:
    """Margins of the negatives that a beam search finds most similar to the picture.

    Args:
        pictures: (N, d) features.
        sentences: N, each said of its picture.
        encode: the text side of the model.
        miner: the search; its width should hold all edits of a sentence.

    Returns:
        (N, depth) least <F(v), G(t) - G(op^k t)> that was found at each depth; NaN where nothing was.
    """
    own = torch.cat(_similar(pictures, [[s] for s in sentences], encode))
    nearest = torch.full((len(sentences), miner.depth), torch.nan, dtype=torch.float64)
    for row, found in enumerate(miner(pictures, sentences, encode)):
        for negative in reversed(found):  # the hardest of a depth comes first
            nearest[row, negative.depth - 1] = negative.similarity
    return own[:, None] - nearest


def _similar(pictures: Tensor, sentences: Sequence[Sequence[Sentence]], encode: Encode) -> list[Tensor]:
    """Of each picture (N, d) the inner products with its sentences, in float64; a text that comes twice is encoded once."""
    rows = {text: row for row, text in enumerate(dict.fromkeys(s.text for said in sentences for s in said))}
    features = encode(list(rows)).double() if rows else pictures.double()[:0]
    return [features[[rows[s.text] for s in said]] @ v for v, said in zip(pictures.double(), sentences, strict=True)]
