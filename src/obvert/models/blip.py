"""BLIP captioners in transformers' BlipForConditionalGeneration: Salesforce's checkpoints and their kin.

    log p(caption | picture) = sum_t log p(y_t | [DEC], instruction, y_<t, ViT(pixels))

An instruction is how the caption begins, e.g. "a picture of"; what is read is what follows it. The loss that the class
gives for labels is smoothed where its configuration says so, for training; here nothing is.

References:
    | BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language Understanding and Generation (Li et al., 2022)
    | https://arxiv.org/abs/2201.12086
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, ObvertError, Reader
from obvert.models.parts.folder import read_model, read_preprocess, read_tokenizer
from obvert.models.parts.matched import matched, unlike
from obvert.models.parts.preprocess import Preprocess
from obvert.models.parts.reader import Words, build, longest, picture

CLASS = "BlipForConditionalGeneration"


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a BLIP captioner from a local folder.

    Args:
        folder: with config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The reader.

    Raises:
        ObvertError: when a file is missing or broken, the preprocessing is another than ours, or the folder holds another BLIP,
            whose decoder means something else.
    """
    model = read_model(CLASS, folder)
    if CLASS not in (model.config.architectures or [CLASS]):
        raise ObvertError(f"need a {CLASS} in {folder}, got {', '.join(model.config.architectures)}")
    plain = read_preprocess(folder, model.config.vision_config.image_size)
    preprocess = matched(plain, folder, card.name, other=unlike(plain.size))
    return captioner(model.to(device, dtype), read_tokenizer(folder), preprocess, card)


def captioner(model: Any, tokenizer: Any, preprocess: Preprocess, card: Card, instruction: str = "") -> Reader:
    """A reader around a BlipForConditionalGeneration.

    Args:
        model: frozen, in eval mode, where and in which dtype it is to run.
        tokenizer: its own.
        preprocess: of pictures.
        card: who it is.
        instruction: how captions begin.

    Returns:
        The reader.
    """
    text = model.config.text_config
    words = Words(tokenizer=tokenizer, end=text.sep_token_id, before=f"{instruction} " if instruction else "")
    prefix = torch.tensor([[text.bos_token_id, *words.ids(instruction)]], device=model.device)
    before = prefix.shape[1]
    most = text.max_position_embeddings - before + 1  # the end token is only foretold, never read

    def logits(x: Tensor, ids: Tensor) -> Tensor:
        read = torch.cat((prefix.expand(len(ids), -1), ids[:, :-1]), dim=1)
        found: Tensor = model(pixel_values=x, input_ids=read).logits
        return found[:, before - 1 :]

    def greedy(x: Tensor) -> Tensor:
        read = torch.nn.functional.pad(prefix, (0, 1), value=words.end).repeat(len(x), 1)  # it takes the last one away
        new = longest(model.generation_config, before, most)
        found: Tensor = model.generate(
            x, input_ids=read, attention_mask=torch.ones_like(read), do_sample=False, num_beams=1, max_new_tokens=new
        )
        return found[:, before:]

    return build(
        card=card,
        network=model,
        **picture(preprocess),
        words=words,
        most=most,
        logits=logits,
        greedy=greedy,
        ask=lambda wanted: captioner(model, tokenizer, preprocess, card, wanted.strip()),
    )
