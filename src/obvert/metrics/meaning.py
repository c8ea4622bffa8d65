"""Whether a text means what the wanted one does: cosine of sentence embeddings, and BERTScore.

    precision = sum_i w_i max_j cos(f_i, t_j) / sum_i w_i,    f_i tokens of the found text, t_j of the wanted one

Recall is the same the other way round, F1 their harmonic mean. The weights w are 1, or the inverse document frequency of a
token. The embeddings come from a text model that is given, which must have had no part in finding the text. Scores of texts
that have nothing to do with each other are not 0 (.1 to .3 with MiniLM): say them beside a result.

References:
    | Sentence-BERT (Reimers and Gurevych, 2019), https://arxiv.org/abs/1908.10084
    | BERTScore: Evaluating Text Generation with BERT (Zhang et al., 2020), https://arxiv.org/abs/1904.09675
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize


class Tokens(NamedTuple):
    """Texts as a text model sees them."""

    states: Tensor
    """(B, L, d) embedding of each token in its context."""
    mask: Tensor
    """(B, L) bool: not padding."""
    words: Tensor
    """(B, L) bool: of the text itself, neither padding nor special."""
    ids: Tensor
    """(B, L) int64."""


TextModel = Callable[[Sequence[str]], Tokens]
"""Texts, one or more -> their tokens; `obvert.models.parts.sentence.load_text_judge` gives one."""


@torch.no_grad()
def sentence_cosine(model: TextModel, found: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """Cosine of two sentences, each the mean of its tokens.

    Args:
        model: trained for sentences, whose tokens can be averaged.
        found: B texts.
        wanted: B texts.

    Returns:
        (B,) float64 in [-1, 1].
    """
    _pairs(found, wanted)
    means = [_mean(model(list(texts))) for texts in (found, wanted)] if len(found) else [torch.zeros(0, 1)] * 2
    return cosine_similarity(means[0], means[1]).double()


@torch.no_grad()
def bert_score(
    model: TextModel, found: Sequence[str], wanted: Sequence[str], *, corpus: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Greedy matching of tokens by the cosine of their embeddings.

    Args:
        model: the text model.
        found: B texts.
        wanted: B texts.
        corpus: texts whose tokens' inverse document frequency weighs them; all weigh the same where there is none. Special
            tokens may be matched but never weigh.

    Returns:
        {"precision", "recall", "f1"}: (B,) float64 in [-1, 1]; NaN where a text has no word of its own.
    """
    _pairs(found, wanted)
    if not len(found):
        return {name: torch.zeros(0, dtype=torch.float64) for name in ("precision", "recall", "f1")}
    rarity, unseen = _rarity(model(list(corpus))) if corpus else ({}, 1.0)
    one, other = model(list(found)), model(list(wanted))
    cosines = normalize(one.states.double(), dim=-1) @ normalize(other.states.double(), dim=-1).transpose(1, 2)
    cosines = cosines.masked_fill(~(one.mask[:, :, None] & other.mask[:, None]), -torch.inf)
    sides = []
    for tokens, best in ((one, cosines.amax(2)), (other, cosines.amax(1))):
        table = torch.tensor([[rarity.get(i, unseen) for i in row] for row in tokens.ids.tolist()], dtype=torch.float64)
        weights = table.to(best) * tokens.words
        sides.append((weights * best.masked_fill(~tokens.mask, 0)).sum(1) / weights.sum(1))
    precision, recall = sides
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}


def _mean(tokens: Tokens) -> Tensor:
    mask = tokens.mask[..., None].to(tokens.states)
    return (mask * tokens.states).sum(1) / mask.sum(1)


def _rarity(corpus: Tokens) -> tuple[dict[int, float], float]:
    """{token: log((N + 1) / (texts that have it + 1))}, and the same for a token that none has."""
    texts = Counter(token for ids, mask in zip(corpus.ids, corpus.mask, strict=True) for token in set(ids[mask].tolist()))
    size = len(corpus.ids) + 1
    return {token: math.log(size / (times + 1)) for token, times in texts.items()}, math.log(size)


def _pairs(found: Sequence[str], wanted: Sequence[str]) -> None:
    if isinstance(found, str) or isinstance(wanted, str) or len(found) != len(wanted):
        raise ValueError(f"need as many found texts as wanted ones, in two lists, got {found!r} and {wanted!r}"[:200])
