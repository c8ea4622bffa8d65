"""CLIPScore: how well a picture fits a text, by a dual encoder that had no part in finding it.

    CLIPScore = 2.5 max(cos(image, text), 0)

The cosine is what compares across papers; many print 100 times it. Cosines of matching pairs are about .3 with OpenAI's CLIPs,
not 1: say those of true pairs and of pairs at random beside a result.

References:
    | CLIPScore: A Reference-free Evaluation Metric for Image Captioning (Hessel et al., 2021)
    | https://arxiv.org/abs/2104.08718
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from obvert.core import DualEncoder

WEIGHT = 2.5
"""By which the published score stretches the cosine."""


def paired_cosine(image: Tensor, text: Tensor) -> Tensor:
    """Cosine of each picture with its own text.

    Args:
        image: (B, d) features of any length.
        text: (B, d) features of any length.

    Returns:
        (B,) float64 in [-1, 1].

    Raises:
        ValueError: for unlike shapes.
    """
    if image.shape != text.shape or image.ndim != 2:
        raise ValueError(f"need features (B, d) of as many pictures as texts, got {tuple(image.shape)} and {tuple(text.shape)}")
    return cosine_similarity(image.detach().double(), text.detach().double())


def clip_score(image: Tensor, text: Tensor) -> Tensor:
    """CLIPScore of features, (B,) float64 in [0, 2.5]; arguments and errors as in `paired_cosine`."""
    return WEIGHT * paired_cosine(image, text).clamp(min=0)


def clip_scores(model: DualEncoder, pictures: Sequence[Tensor], texts: Sequence[str], *, prompt: str = "") -> dict[str, Tensor]:
    """How well pictures fit their texts.

    Args:
        model: the judge.
        pictures: B, each (3, H, W) in [0, 1] of any size.
        texts: B.
        prompt: said before each text; "A photo depicts " as published, where the judge was trained on such texts.

    Returns:
        {"clip_score", "cosine", "cosine_others"}: (B,) float64; the last is the mean cosine of the picture with the others'
        texts, what it has without fitting, NaN where there are no others.

    Raises:
        ValueError: for another number of texts than of pictures.
    """
    if isinstance(texts, str) or len(pictures) != len(texts):
        raise ValueError(f"need a text for each of {len(pictures)} pictures, got {texts!r}"[:200])
    image = model.image_features(list(pictures)).double()
    text = model.text_features([prompt + t for t in texts]).double()
    cosine = paired_cosine(image, text)
    size = len(texts)
    others = torch.tensor([one != other for one in texts for other in texts], device=image.device).reshape(size, size)
    among = (image @ text.T).masked_fill(~others.bool(), 0).sum(1) / others.sum(1)
    return {"clip_score": WEIGHT * cosine.clamp(min=0), "cosine": cosine, "cosine_others": among}
