"""How the zoo's recognisers hear: tokens, spectrograms, what is read off them, and how often it is wrong."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from obvert.zoo.espeak import RATE
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.speech import ACCENTS, HELD_OUT_VARIANTS, SECONDS, Corpus, corpus, phrases, vocabulary, voices

UNKNOWN, END = "<unknown>", "<|endoftext|>"
PREFIX = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")
TASKS = ("<|translate|>", "<|transcribe|>")
HOP, N_FFT, POSITIONS = 160, 400, 24


def held_out(count: int, folder: Path) -> Corpus:
    """Phrases and voices that training never saw."""
    return corpus(phrases(count, HELD_OUT, held_out=True), voices(ACCENTS, HELD_OUT_VARIANTS), HELD_OUT, folder)


def token_ids() -> dict[str, int]:
    """Id of every token: words first, Whisper's own after them, those of timestamps, of which there are none, last."""
    return {token: i for i, token in enumerate((UNKNOWN, *vocabulary(), END, *PREFIX[:2], *TASKS, PREFIX[3]))}


def tokenizer() -> Any:
    """A tokenizer of whole words with Whisper's tokens around: lower case, English, transcribed, no timestamps."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = token_ids()
    core = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    around = [(token, ids[token]) for token in (*PREFIX, END)]
    core.post_processor = processors.TemplateProcessing(single=f"{' '.join(PREFIX)} $A {END}", special_tokens=around)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=END,
        bos_token=END,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=[*PREFIX, TASKS[0]],
        model_max_length=POSITIONS,
    )


def encode(texts: list[str]) -> Tensor:
    """(B, L) tokens, the prefix before and the end behind the words, then -1."""
    ids = token_ids()
    rows = [torch.tensor([ids[token] for token in (*PREFIX, *text.split(), END)]) for text in texts]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


def extractor(mels: int) -> Any:
    """The WhisperFeatureExtractor of a recogniser with this many bands."""
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=mels, sampling_rate=RATE, hop_length=HOP, chunk_length=SECONDS, n_fft=N_FFT)


def filters(mels: int) -> Tensor:
    """(N_FFT / 2 + 1, mels) of its mel filters."""
    return torch.from_numpy(extractor(mels).mel_filters).float()


def log_mel(sounds: Tensor, bank: Tensor) -> Tensor:
    """Whisper's spectrogram.

    Args:
        sounds: (B, S) in [-1, 1] at 16 kHz.
        bank: (N_FFT / 2 + 1, M).

    Returns:
        (B, M, S / HOP).
    """
    spectrum = torch.stft(sounds, N_FFT, HOP, window=torch.hann_window(N_FFT), return_complex=True)[..., :-1]
    level = (bank.T @ spectrum.abs().square()).clamp(min=1e-10).log10()
    return (torch.maximum(level, level.amax((1, 2), keepdim=True) - 8) + 4) / 4


def write(path: Path, sound: np.ndarray) -> None:
    """A sound in [-1, 1] as a 16-bit WAV file at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).round().astype("<i2").tobytes())


@torch.no_grad()
def read(model: Any, sounds: list[np.ndarray]) -> list[str]:
    """What a WhisperForConditionalGeneration of the zoo hears, token by token.

    Args:
        model: fp32, in eval mode.
        sounds: (S,) in [-1, 1] at 16 kHz; what goes on for longer than 3 seconds is cut.

    Returns:
        A text for each.
    """
    bank, words = filters(model.config.num_mel_bins), tokenizer()
    found: list[str] = []
    for first in range(0, len(sounds), 64):
        cut = [sound[: SECONDS * RATE] for sound in sounds[first : first + 64]]
        padded = np.stack([np.pad(sound, (0, SECONDS * RATE - len(sound))) for sound in cut])
        mels = log_mel(torch.from_numpy(padded).float(), bank)
        ids = model.generate(input_features=mels, language="en", task="transcribe", do_sample=False, num_beams=1)
        found += words.batch_decode(ids, skip_special_tokens=True)
    return found


def examine(model: Any, given: Corpus) -> dict[str, float]:
    """Held-out scores of a recogniser.

    Args:
        model: a WhisperForConditionalGeneration, fp32.
        given: phrases spoken by voices it never heard.

    Returns:
        wer (word error rate), noisy (the same with white noise 20 dB below the speech), exact (share of phrases without a
        mistake).
    """
    rng = np.random.default_rng(HELD_OUT)
    sounds = [given.wave(i) for i in range(len(given.texts))]
    noisy = [s + (0.1 * s.std() * rng.standard_normal(len(s))).astype(np.float32) for s in sounds]
    said, hissed = read(model.eval(), sounds), read(model, noisy)
    exact = float(np.mean([a == b for a, b in zip(said, given.texts, strict=True)]))
    found = {"wer": word_error_rate(said, given.texts), "noisy": word_error_rate(hissed, given.texts), "exact": exact}
    return {key: round(value, 4) for key, value in found.items()}


def word_error_rate(said: list[str], wanted: list[str]) -> float:
    """Words to be put in, left out or changed, over the words wanted."""
    wrong = sum(_edits(a.split(), b.split()) for a, b in zip(said, wanted, strict=True))
    return wrong / sum(len(text.split()) for text in wanted)


def _edits(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]
