"""What the layers of a vision-language model are to look like: as for real pictures, or as when it is told in words.

mean and variance of a layer's tokens: of the image tower over the whole picture, of the language model over the answer
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from obvert.core import Answer, ObvertError, Reader
from obvert.objectives.alignment import Alignment
from obvert.objectives.feature_statistics import Moments, statistics


def of_pictures(
    model: Reader, real: Sequence[Tensor], texts: Sequence[str], layers: Sequence[str] | None = None
) -> dict[str, Moments]:
    """Moments of the image tower's layers for real pictures of each concept.

    Args:
        model: the reader.
        real: of each concept, (N, 3, H, W) in [0, 1].
        texts: the concepts.
        layers: of the model; all of its image tower when None.

    Returns:
        {layer: mean and variance (B, d)}.

    Raises:
        ObvertError: when there are pictures for other concepts, or none for one, or no layers.
    """
    if len(real) != len(texts) or any(len(pictures) == 0 for pictures in real):
        raise ObvertError(f"need real pictures of each of the {len(texts)} concepts, got {[len(p) for p in real]}")
    names = _named(model, "image tower", model.layers, layers)
    silent = model.answer([texts[0]])

    def features(x: Tensor) -> list[Tensor]:
        with model.watch(names) as seen:
            model.log_likelihood(x, Answer(*(t.expand(len(x), -1) for t in silent)))
        return [seen[name] for name in names]

    each = [statistics(features, model.front(list(pictures.to(model.device)))) for pictures in real]
    return {
        name: (torch.stack([one[i][0] for one in each]), torch.stack([one[i][1] for one in each])) for i, name in enumerate(names)
    }


@torch.no_grad()
def of_words(model: Reader, texts: Sequence[str], layers: Sequence[str] | None = None) -> dict[str, Moments]:
    """Moments of the language model's layers, over the answer, when it is told each concept in words.

    Args:
        model: the reader, under its question.
        texts: the concepts.
        layers: of the model; all of its language model when None.

    Returns:
        {layer: mean and variance (B, d)}.

    Raises:
        ObvertError: for a model that cannot do without pictures, or no layers.
    """
    if model.told is None:
        raise ObvertError(f"need a language model that can be told what there is to see, got {model.card.name}")
    names = _named(model, "language model", model.language_layers, layers)
    rows = []
    for text in texts:
        answer = model.answer([text])
        with model.watch(names) as seen:
            model.told(text, answer)
        wanted = Alignment(reader=model, answer=answer)
        rows.append([wanted.moments(name, seen[name]) for name in names])
    return {
        name: (torch.cat([row[i][0] for row in rows]), torch.cat([row[i][1] for row in rows])) for i, name in enumerate(names)
    }


def _named(model: Reader, part: str, known: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """The layers that are wanted, all when None; ObvertError for those that the part does not have, or when there are none."""
    names = list(known if wanted is None else wanted)
    strays = [name for name in names if name not in known]
    if strays or not names:
        raise ObvertError(f"need layers of the {part} of {model.card.name}, got {', '.join(strays) or 'none'}")
    return names


def patch_of(model: Reader) -> int:
    """Edge in pixels of a patch of the image tower; 16 where its first layer does not tell."""
    if not model.layers:
        return 16
    weights = [value for name, value in model.parameters().items() if name.startswith(f"{model.layers[0]}.weight")]
    return weights[0].shape[-1] if weights and weights[0].ndim >= 4 else 16
