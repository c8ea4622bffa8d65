"""Spoken phrases as the synthesiser learns them: letters with durations, pitch and energy, spectrograms, sounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from obvert.zoo.spectra import FLOOR, HOP, durations, log_mel, means, pitch
from obvert.zoo.speech import Corpus, corpus, phrases

LETTERS = " abcdefghijklmnopqrstuvwxyz"
SPECIAL = ("<pad>", "<unknown>")


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A spoken phrase as the acoustic model and the vocoder learn it."""

    ids: Tensor
    """(L,) letters."""
    durations: Tensor
    """(L,) frames of each, T in all."""
    pitch: Tensor
    """(L, 1) octaves above 120 Hz, where it is voiced."""
    energy: Tensor
    """(L, 1) mean log-mel."""
    mel: Tensor
    """(T, M)."""
    sound: Tensor
    """(S,) in [-1, 1]."""

    @classmethod
    def of(cls, heard: Corpus, i: int) -> Lesson:
        """Phrase i of a corpus."""
        text, sound = heard.texts[i], torch.from_numpy(heard.wave(i))
        mel = log_mel(sound[None])[0]
        lasting = durations(text, heard.starts[i], len(mel))
        return cls(
            ids=encode([text])[0],
            durations=lasting,
            pitch=means(pitch(sound), lasting)[:, None],
            energy=means(mel.mean(1), lasting)[:, None],
            mel=mel,
            sound=sound,
        )


def spoken(count: int, voice: str, seed: int, folder: Path) -> Corpus:
    """Training phrases, all spoken alike."""
    return corpus(phrases(count, seed), [voice], seed, folder, speeds=(165, 165), pitches=(50, 50))


def batch(lessons: list[Lesson]) -> dict[str, Tensor]:
    """Lessons as the arguments of the acoustic model's training."""

    def padded(name: str, value: float) -> Tensor:
        rows = [getattr(lesson, name) for lesson in lessons]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)

    ids = padded("ids", 0)
    return {
        "input_ids": ids,
        "attention_mask": (ids > 0).int(),
        "spectrogram_labels": padded("mel", -100),
        "duration_labels": padded("durations", 0),
        "pitch_labels": padded("pitch", 0),
        "energy_labels": padded("energy", 0),
    }


def crops(lessons: list[Lesson], frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """(B, frames, M) spectrograms from somewhere in each phrase, and the (B, frames * HOP) samples they belong to."""
    mels, sounds = [], []
    for lesson in lessons:
        sound = pad(lesson.sound, (HOP // 2, frames * HOP))  # frame t is centred on sample t * HOP
        mel = pad(lesson.mel, (0, 0, 0, frames), value=float(np.log10(FLOOR)))
        first = int(rng.integers(max(1, len(lesson.mel) - frames)))
        mels.append(mel[first : first + frames])
        sounds.append(sound[first * HOP : (first + frames) * HOP])
    return torch.stack(mels), torch.stack(sounds)


def encode(texts: list[str]) -> Tensor:
    """(B, L) ids of letters, padded with 0."""
    rows = [torch.tensor([len(SPECIAL) + LETTERS.index(letter) for letter in text]) for text in texts]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


def tokenizer() -> Any:
    """A tokenizer of letters: lower case, nothing around."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({token: i for i, token in enumerate((*SPECIAL, *LETTERS))}, unk_token=SPECIAL[1]))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token=SPECIAL[0], unk_token=SPECIAL[1], model_max_length=128)
