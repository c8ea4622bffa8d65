"""zoo/siglip: a small SigLIP trained on Scenes, in transformers' own SiglipModel.

Towers as wide and deep as those of zoo/clip; the text tower is bidirectional over 32 padded positions and read at the last
one, the image tower ends in attention pooling. Features of 128 numbers. Each pair of a batch is a yes-or-no question:

    L = - 1/B sum_ij log sigmoid(y_ij (exp(t) f_i . g_j + b)),   y_ij = 1 for i = j, -1 otherwise

References:
    | Sigmoid Loss for Language Image Pre-Training (Zhai et al., 2023)
    | https://arxiv.org/abs/2303.15343
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from obvert.zoo.recipe import Recipe
from obvert.zoo.scenes import SIDE, vocabulary
from obvert.zoo.words import POSITIONS, SPECIAL, shared_tokenizer


@dataclass(frozen=True, kw_only=True)
class SiglipRecipe(Recipe):
    """How the small SigLIP is made."""

    preprocessor: ClassVar[dict[str, Any]] = {
        "image_processor_type": "SiglipImageProcessor",
        "do_resize": True,
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }

    def build(self) -> Any:
        """An untrained zoo SigLIP."""
        return build()

    def loss(self, model: Any, pictures: Tensor, texts: list[str], rng: np.random.Generator) -> Tensor:
        """The pairwise sigmoid loss."""
        return sigmoid_loss(model, pictures, encode(shared_tokenizer(), texts))


def sigmoid_loss(model: Any, pictures: Tensor, ids: Tensor) -> Tensor:
    """The pairwise sigmoid loss over a batch of matching pairs."""
    logits = model(pixel_values=pictures, input_ids=ids).logits_per_image.float()
    return -logsigmoid(logits * (2 * torch.eye(len(ids), device=ids.device) - 1)).sum() / len(ids)


def encode(words: Any, texts: list[str]) -> Tensor:
    """Token ids of texts, padded to all positions: the tower reads its last one and sees the padding."""
    return words(texts, padding="max_length", truncation=True, max_length=POSITIONS, return_tensors="pt")["input_ids"]


def build() -> Any:
    """An untrained zoo SigLIP."""
    from transformers import SiglipConfig, SiglipModel

    common = {"hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 2}
    text = common | {
        "vocab_size": len(SPECIAL) + len(vocabulary()),
        "num_hidden_layers": 3,
        "max_position_embeddings": POSITIONS,
        "projection_size": 128,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 3,
    }
    vision = common | {"num_hidden_layers": 4, "image_size": SIDE, "patch_size": 8}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    with torch.no_grad():  # as published; transformers leaves both at random
        model.logit_scale.fill_(float(np.log(10)))
        model.logit_bias.fill_(-10)
    return model
