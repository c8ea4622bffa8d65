"""The words of the zoo's text towers: captions that say part of a scene, and a tokenizer of whole words."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from obvert.zoo.scenes import Scene, caption, sample_mention, vocabulary

POSITIONS = 32
"""Positions of a text tower."""
SPECIAL = ("<pad>", "<start>", "<unknown>", "<end>")
"""EOT must not be id 2: transformers would fall back to pooling at the largest id."""


def say(scenes: list[Scene], rng: np.random.Generator) -> list[str]:
    """A caption for each scene that says only part of it."""
    return [caption(scene, sample_mention(rng)) for scene in scenes]


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


@cache
def shared_tokenizer() -> Any:
    """The same tokenizer made once, for training loops; nobody may change it."""
    return tokenizer()
