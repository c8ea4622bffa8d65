"""Bags of words: what a text says when its order is lost, and how far that alone takes a scorer.

The ideal scorer of bags knows the right bag exactly: it is right wherever a wrong text has another bag, and ties where it
has the same. Its accuracy is the ceiling of every encoder that does not read order, to be printed beside a model's; what
it cannot decide is where a model has to show composition. The lexical scorer knows nothing and compares texts by

    cos(a, b) = <a, b> / (|a| |b|)

of their bags' counts. On SugarCrepe++ it tells how little two captions that say the same share against one that does not.

Words are lower case and without punctuation, but for an apostrophe within one: "man's" is not "man" and "s".

References:
    | SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality (Hsieh et al., 2023)
    | https://arxiv.org/abs/2306.14610
    | SugarCrepe++ Dataset (Dumpala et al., 2024), https://arxiv.org/abs/2406.11171
    | When and why vision-language models behave like bags-of-words (Yuksekgonul et al., 2023)
    | https://arxiv.org/abs/2210.01936
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from obvert.composition.text.words import words
from obvert.core import Contrast
from obvert.metrics import chosen, two_by_two


def bag(text: str) -> Counter[str]:
    """The words of a text with how often each is there."""
    return Counter(words(text))


def bag_decidable(contrast: Contrast) -> bool:
    """Whether no wrong text has the bag of a right one; whoever loses the order cannot decide the others."""
    bags = [bag(text) for text in contrast.texts]
    return not any(
        bags[wrong] in [bags[i] for i in right] for right in contrast.right for wrong in set(range(len(bags))) - set(right)
    )


def ideal_scores(contrast: Contrast) -> Tensor:
    """(P, T) what the ideal scorer of bags gives each of P pictures' texts: 1 for the bag of a right one, 0 for another."""
    bags = [bag(text) for text in contrast.texts]
    return torch.tensor([[float(b in [bags[i] for i in right]) for b in bags] for right in contrast.right])


def ceiling(contrasts: Sequence[Contrast]) -> Tensor:
    """What the ideal scorer of bags counts on each contrast.

    Args:
        contrasts: with one picture or two, at hand or not.

    Returns:
        (N,) float64 in [0, 1]: the group score of crossed contrasts, otherwise whether all right texts lie above all wrong
        ones; ties as `obvert.metrics.above` shares them.
    """
    scores = [ideal_scores(contrast) for contrast in contrasts]
    found = chosen(scores, [contrast.right for contrast in contrasts])
    crossed = [row for row, contrast in enumerate(contrasts) if contrast.crossed]
    if crossed:
        found[crossed] = two_by_two(torch.stack([scores[row] for row in crossed])).group
    return found


def overlap(first: str, second: str) -> Fraction:
    """The squared cosine of the bags' counts, exact, so that ties are ties; 0 where a text has no words."""
    a, b = bag(first), bag(second)
    shared = sum(count * b[word] for word, count in a.items())
    sizes = [sum(count * count for count in one.values()) for one in (a, b)]
    return Fraction(shared * shared, sizes[0] * sizes[1]) if all(sizes) else Fraction(0)


def overlaps(contrasts: Sequence[Contrast]) -> Tensor:
    """The lexical scorer on two captions and a negative.

    Args:
        contrasts: of three texts each, the third being wrong.

    Returns:
        (N, 3) float64, ordered as `obvert.metrics.tot` takes them: caption with caption 2, then each with the negative.
    """
    pairs = ((0, 1), (0, 2), (1, 2))
    rows = [[float(overlap(contrast.texts[i], contrast.texts[j])) for i, j in pairs] for contrast in contrasts]
    return torch.tensor(rows, dtype=torch.float64).view(-1, 3)
