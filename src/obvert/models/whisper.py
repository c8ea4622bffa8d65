"""Whisper speech recognisers in transformers' WhisperForConditionalGeneration: tiny to large-v3, English-only ones, their kin.

    log p(text | sound) = sum_t log p(y_t | <|startoftranscript|> <|en|> <|transcribe|> <|notimestamps|>, y_<t, log-mel)

An instruction is "LANGUAGE/TASK", e.g. "de/translate" or "en"; English-only models have neither and know "en/transcribe".
Texts begin with a space, as Whisper writes them.

References:
    | Robust Speech Recognition via Large-Scale Weak Supervision (Radford et al., 2022)
    | https://arxiv.org/abs/2212.04356
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, Domain, ObvertError, Reader
from obvert.models.parts.folder import preprocessor_file, read_model, read_tokenizer
from obvert.models.parts.log_mel import LogMel
from obvert.models.parts.pipeline import read_json
from obvert.models.parts.reader import Words, build, ending, longest
from obvert.registry import unknown

CLASS = "WhisperForConditionalGeneration"
TASKS = ("transcribe", "translate")
ENGLISH = 51864
"""Tokens of OpenAI's English-only checkpoints, of which the oldest do not say that they are."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a Whisper recogniser from a local folder.

    Args:
        folder: with config.json, generation_config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The reader.

    Raises:
        ObvertError: when a file is missing or broken, or the preprocessing does not make what the network takes.
    """
    model, tokenizer, path = read_model(CLASS, folder), read_tokenizer(folder), preprocessor_file(folder)
    try:
        log_mel = LogMel.from_config(read_json(path))
    except ValueError as error:
        raise ObvertError(f"{path}: {error}") from error
    wanted = (model.config.num_mel_bins, 2 * model.config.max_source_positions)
    if log_mel.shape != wanted:
        frames = f"{log_mel.samples // log_mel.rate} s, which are {log_mel.shape[1]} frames"
        raise ObvertError(f"need {wanted[0]} mel bands and {wanted[1]} frames in {path}, got {log_mel.shape[0]} and {frames}")
    complete(model, tokenizer, folder)
    return recogniser(model.to(device, dtype), tokenizer, log_mel, card)


def complete(model: Any, tokenizer: Any, folder: Path) -> None:
    """Let the generation settings name the tokens of languages and tasks, where an old folder does not.

    Args:
        model: whose settings these are.
        tokenizer: which knows the tokens.
        folder: for the message.

    Raises:
        ObvertError: when the vocabulary lacks one that is needed.
    """
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    settings, vocabulary = model.generation_config, tokenizer.get_vocab()
    if getattr(settings, "is_multilingual", None) is None:
        settings.is_multilingual = model.config.vocab_size != ENGLISH
    if not getattr(settings, "lang_to_id", None):
        settings.lang_to_id = {key: vocabulary[key] for code in LANGUAGES if (key := f"<|{code}|>") in vocabulary}
    if not getattr(settings, "task_to_id", None):
        settings.task_to_id = {task: vocabulary[key] for task in TASKS if (key := f"<|{task}|>") in vocabulary}
    if getattr(settings, "no_timestamps_token_id", None) is None:
        settings.no_timestamps_token_id = vocabulary.get("<|notimestamps|>")
    if settings.no_timestamps_token_id is None or (
        settings.is_multilingual and not (settings.lang_to_id and settings.task_to_id)
    ):
        raise ObvertError(f"need the tokens <|notimestamps|>, of tasks and of languages in the tokenizer in {folder}, got fewer")


def recogniser(model: Any, tokenizer: Any, log_mel: LogMel, card: Card, instruction: str = "") -> Reader:
    """A reader around a WhisperForConditionalGeneration.

    Args:
        model: frozen, in eval mode, where and in which dtype it is to run.
        tokenizer: its own.
        log_mel: of sounds.
        card: who it is.
        instruction: "LANGUAGE/TASK"; English, or else the first language, and transcribing where left out.

    Returns:
        The reader.
    """
    settings = model.generation_config
    told, opening = prompt(settings, instruction, card.name)
    prefix = torch.tensor([[model.config.decoder_start_token_id, *opening]], device=model.device)
    before = prefix.shape[1]
    most = model.config.max_target_positions - before + 1  # the end token is only foretold, never read

    def logits(x: Tensor, ids: Tensor) -> Tensor:
        read = torch.cat((prefix.expand(len(ids), -1), ids[:, :-1]), dim=1)
        found: Tensor = model(input_features=x, decoder_input_ids=read, use_cache=False).logits
        return found[:, before - 1 :]

    def greedy(x: Tensor) -> Tensor:
        new = longest(settings, before, model.config.max_target_positions - before)
        found: Tensor = model.generate(x, **told, return_timestamps=False, do_sample=False, num_beams=1, max_new_tokens=new)
        return found

    return build(
        card=card,
        network=model,
        medium=Domain(media="sound", shape=(1, log_mel.samples), bounds=(-1.0, 1.0), rate=log_mel.rate),
        features=Domain(media="sound", shape=log_mel.shape, rate=log_mel.rate // log_mel.hop),
        front=log_mel,
        back=log_mel.undo,
        words=Words(tokenizer=tokenizer, end=ending(settings), before=" "),
        most=most,
        logits=logits,
        greedy=greedy,
        ask=lambda wanted: recogniser(model, tokenizer, log_mel, card, wanted),
    )


def prompt(settings: Any, instruction: str, name: str) -> tuple[dict[str, str], list[int]]:
    """What an instruction means.

    Args:
        settings: the GenerationConfig, complete.
        instruction: "LANGUAGE/TASK", either may be left out; a language by its code or English name.
        name: of the model, for the message.

    Returns:
        Arguments of the class's own `generate`, and the token ids after <|startoftranscript|>.

    Raises:
        ObvertError: for an unknown language or task, or anything but English where the model knows nothing else.
    """
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    language, _, task = (part.strip().lower() for part in instruction.partition("/"))
    language, task = TO_LANGUAGE_CODE.get(language, language), task or "transcribe"
    if not settings.is_multilingual:
        if (language or "en", task) != ("en", "transcribe"):
            raise ObvertError(f"need en/transcribe for {name}, which knows English alone, got {instruction}")
        return {}, [settings.no_timestamps_token_id]
    codes = [key.strip("<|>") for key in settings.lang_to_id]
    language = language or ("en" if "en" in codes else codes[0])
    if language not in codes:
        raise ObvertError(unknown("language", language, codes) + f" (of {name})")
    if task not in settings.task_to_id:
        raise ObvertError(unknown("task", task, list(settings.task_to_id)) + f" (of {name})")
    ids = [settings.lang_to_id[f"<|{language}|>"], settings.task_to_id[task], settings.no_timestamps_token_id]
    return {"language": language, "task": task}, ids
