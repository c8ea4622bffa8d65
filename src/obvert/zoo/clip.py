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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from obvert.zoo.draw import draw
from obvert.zoo.export import export
from obvert.zoo.scenes import SIDE, Scene, caption, sample, sample_mention, vocabulary
from obvert.zoo.training import Report, fit

POSITIONS = 32
PREPROCESSOR = {
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
SPECIAL = ("<pad>", "<start>", "<unknown>", "<end>")
"""EOT must not be id 2: transformers would fall back to pooling at the largest id."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the embedded CLIP is made."""

    steps: int = 2800
    """Steps of training."""
    batch: int = 256
    """Pairs in a step."""
    lr: float = 2e-3
    """Highest learning rate of AdamW, ten times that for Muon; 100 steps of warm-up, then a cosine."""
    pool: int = 32768
    """Scenes drawn beforehand; every pass over them says other parts of each scene."""
    learned_temperature: bool = False
    """Learn the temperature from 0.07 on, as CLIP does, rather than hold it at 0.01."""
    seed: int = 0
    """Of the weights, the scenes and the order."""

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the CLIPModel (fp32, eval) and the minutes it took."""
        torch.manual_seed(self.seed)
        model = build(logit_scale=1 / 0.07 if self.learned_temperature else 100.0)
        model.logit_scale.requires_grad_(self.learned_temperature)
        model.set_attn_implementation("eager")  # on CPUs, much faster than the fused kernel at this size
        scenes = sample(self.pool, seed=self.seed + 1)
        pictures = draw(scenes)
        words = tokenizer()

        def loss(step: int) -> Tensor:
            rng = np.random.default_rng([self.seed, step])
            rows = rng.choice(len(scenes), self.batch, replace=False)
            return contrastive(model, pictures[torch.from_numpy(rows)], encode(words, say([scenes[i] for i in rows], rng)))

        minutes = fit(model.train(), loss, steps=self.steps, lr=self.lr, folder=folder, recipe=repr(self), report=report)
        return model.eval(), minutes

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model as a folder that `obvert.load` takes, half precision, with its card.

        Args:
            model: as `train` returned it.
            folder: written into; must be there.
            minutes: of training, for the card.

        Returns:
            The card: data, steps, minutes, held-out scores.
        """
        copy = build(logit_scale=1.0)
        copy.load_state_dict(model.state_dict())
        temperature = 1 / model.logit_scale.detach().exp().item()
        return export(copy, tokenizer(), PREPROCESSOR, self, folder, minutes=minutes, temperature=temperature)


def say(scenes: list[Scene], rng: np.random.Generator) -> list[str]:
    """A caption for each scene that says only part of it."""
    return [caption(scene, sample_mention(rng)) for scene in scenes]


def contrastive(model: Any, pictures: Tensor, ids: Tensor) -> Tensor:
    """The symmetric contrastive loss of CLIP over a batch of matching pairs."""
    out = model(pixel_values=pictures.float() / 127.5 - 1, input_ids=ids)
    labels = torch.arange(len(ids), device=ids.device)
    logits = out.logits_per_image.float()
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def encode(words: Any, texts: list[str]) -> Tensor:
    """Token ids of texts, padded to the longest: a causal tower never sees what follows EOT."""
    return words(texts, padding=True, truncation=True, max_length=POSITIONS, return_tensors="pt")["input_ids"]


def build(logit_scale: float) -> Any:
    """An untrained zoo CLIP."""
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


def tokenizer() -> Any:
    """A tokenizer of whole words: lower case, <start> and <end> around."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate((*SPECIAL, *vocabulary()))}
    core = Tokenizer(models.WordLevel(ids, unk_token="<unknown>"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 3)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        bos_token="<start>",
        unk_token="<unknown>",
        eos_token="<end>",
        model_max_length=POSITIONS,
    )
