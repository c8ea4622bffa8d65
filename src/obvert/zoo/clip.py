"""zoo/clip: a small CLIP trained on Scenes, in transformers' own CLIPModel.

Image tower: ViT, patch 8, width 128, 4 layers. Text tower: causal, width 128, 3 layers, 32 positions. Features of 64
numbers. The inverse temperature is held at 100, where the training of the large CLIPs ends: a softmax that sharp is
satisfied before the two modalities meet, which is what leaves the modality gap. `learned_temperature` trains the twin
whose gap closes.

References:
    | Learning Transferable Visual Models From Natural Language Supervision (Radford et al., 2021)
    | https://arxiv.org/abs/2103.00020
    | Mind the Gap (Liang et al., 2022)
    | https://arxiv.org/abs/2203.02053
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from obvert.zoo.recipe import Recipe
from obvert.zoo.scenes import SIDE, vocabulary
from obvert.zoo.words import POSITIONS, SPECIAL, shared_tokenizer


@dataclass(frozen=True, kw_only=True)
class ClipRecipe(Recipe):
    """How the embedded CLIP is made."""

    learned_temperature: bool = False
    """Learn the temperature from 0.07 on, as CLIP does, rather than hold it at 0.01."""
    preprocessor: ClassVar[dict[str, Any]] = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": SIDE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }

    def build(self) -> Any:
        """An untrained zoo CLIP."""
        model = build(logit_scale=1 / 0.07 if self.learned_temperature else 100.0)
        model.logit_scale.requires_grad_(self.learned_temperature)
        return model

    def loss(self, model: Any, pictures: Tensor, texts: list[str], rng: np.random.Generator) -> Tensor:
        """The symmetric contrastive loss of CLIP."""
        return contrastive(model, pictures, encode(shared_tokenizer(), texts))


def contrastive(model: Any, pictures: Tensor, ids: Tensor) -> Tensor:
    """The symmetric contrastive loss of CLIP over a batch of matching pairs."""
    out = model(pixel_values=pictures, input_ids=ids)
    labels = torch.arange(len(ids), device=ids.device)
    logits = out.logits_per_image.float()
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def encode(words: Any, texts: list[str]) -> Tensor:
    """Token ids of texts, padded to the longest: a causal tower never sees what follows EOT."""
    return words(texts, padding=True, truncation=True, max_length=POSITIONS, return_tensors="pt")["input_ids"]


def build(logit_scale: float) -> Any:
    """An untrained CLIPModel of the zoo's size."""
    from transformers import CLIPConfig, CLIPModel

    text = {
        "vocab_size": len(SPECIAL) + len(vocabulary()),
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "max_position_embeddings": POSITIONS,
        "hidden_act": "gelu",
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 3,
    }
    vision = {
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 8,
        "hidden_act": "gelu",
    }
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=64, logit_scale_init_value=math.log(logit_scale))
    return CLIPModel(config)
