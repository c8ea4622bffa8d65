"""BLIP-2 captioners in transformers' Blip2ForConditionalGeneration, with OPT or T5 as their language model.

A Q-Former turns a picture into the embeddings of a few tokens, which a frozen language model reads before its text:

    OPT, and what else only decodes:  [picture] [bos] instruction caption end
    T5:                               [picture] [bos, or instruction]  ->  [start] caption end

References:
    | BLIP-2: Bootstrapping Language-Image Pre-training with Frozen Image Encoders and Large Language Models (Li et al., 2023)
    | https://arxiv.org/abs/2301.12597
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
from obvert.models.parts.reader import Words, build, ending, longest, picture
from obvert.models.parts.watching import layered

CLASS = "Blip2ForConditionalGeneration"
LAYERS = (r"vision_model\.embeddings\.patch_embedding", r"vision_model\.encoder\.layers\.\d+\.mlp\.fc2")


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a BLIP-2 captioner from a local folder.

    Args:
        folder: with config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The reader.

    Raises:
        ObvertError: when a file is missing or broken, the preprocessing is another than ours, or the configuration does not
            name a token that stands for something.
    """
    model = read_model(CLASS, folder)
    needed = {"image_token_index": model.config.image_token_index, "eos_token_id": ending(model.language_model.generation_config)}
    if not model.config.use_decoder_only_language_model:
        needed["decoder_start_token_id"] = getattr(model.config.text_config, "decoder_start_token_id", None)
    if lacking := [name for name, found in needed.items() if found is None]:
        raise ObvertError(f"need {' and '.join(lacking)} in {folder / 'config.json'}, got none")
    plain = read_preprocess(folder, model.config.vision_config.image_size)
    preprocess = matched(plain, folder, card.name, other=unlike(plain.size))
    return captioner(model.to(device, dtype), read_tokenizer(folder), preprocess, card)


def captioner(model: Any, tokenizer: Any, preprocess: Preprocess, card: Card, instruction: str = "") -> Reader:
    """A reader around a Blip2ForConditionalGeneration.

    Args:
        model: frozen, in eval mode, where and in which dtype it is to run.
        tokenizer: its own.
        preprocess: of pictures.
        card: who it is.
        instruction: how captions begin, or of a T5 what it is told to do.

    Returns:
        The reader.
    """
    text, decodes = model.config.text_config, model.config.use_decoder_only_language_model
    end, before = ending(model.language_model.generation_config), f"{instruction} " if instruction and decodes else ""
    words = Words(tokenizer=tokenizer, end=end, before=before)
    bos = getattr(text, "bos_token_id", None)
    opening = [] if bos is None else [bos]
    told = [*opening, *words.ids(instruction)] if decodes or not instruction else tokenizer(instruction)["input_ids"]
    image = [model.config.image_token_index] * model.config.num_query_tokens
    prompt = torch.tensor([[*image, *told]], device=model.device)
    start = prompt if decodes else torch.tensor([[text.decoder_start_token_id]], device=model.device)
    first = start.shape[1]
    positions = getattr(text, "max_position_embeddings", None) if decodes else None  # T5 has relative positions, any number
    most = None if positions is None else positions - first + 1

    def logits(x: Tensor, ids: Tensor) -> Tensor:
        read = torch.cat((start.expand(len(ids), -1), ids[:, :-1]), dim=1)
        taken = {"input_ids": read} if decodes else {"input_ids": prompt.expand(len(ids), -1), "decoder_input_ids": read}
        alone = {"logits_to_keep": ids.shape[1]} if decodes else {}  # T5 says nothing but the answer
        found: Tensor = model(pixel_values=x, **taken, **alone, use_cache=False).logits
        return found

    def greedy(x: Tensor) -> Tensor:
        read, new = prompt.expand(len(x), -1), longest(model.generation_config, first, most)
        found: Tensor = model.generate(x, input_ids=read, do_sample=False, num_beams=1, max_new_tokens=new)
        return found[:, first:]

    plain = build(
        card=card,
        network=model,
        **picture(preprocess),
        words=words,
        most=most,
        logits=logits,
        greedy=greedy,
        ask=lambda wanted: captioner(model, tokenizer, preprocess, card, wanted.strip()),
    )
    return layered(plain, model, LAYERS)
