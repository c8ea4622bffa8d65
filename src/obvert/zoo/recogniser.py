"""zoo/speech-recogniser: a small Whisper of the Speech grammar, in transformers' own WhisperForConditionalGeneration.

A window of 3 seconds, 10 ms frames, whole words. Connectionist temporal classification on the encoder, which is not
published, finds the alignment long before cross-attention would.

    L = - mean_t log p(y_t | y_<t, mel) - w log p_ctc(y | mel)

References:
    | Robust Speech Recognition via Large-Scale Weak Supervision (Radford et al., 2022)
    | https://arxiv.org/abs/2212.04356
    | Hybrid CTC/Attention Architecture for End-to-End Speech Recognition (Watanabe et al., 2017)
    | https://doi.org/10.1109/JSTSP.2017.2763455
    | SpecAugment (Park et al., 2019)
    | https://arxiv.org/abs/1904.08779
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from obvert.models.parts.folder import read_model
from obvert.zoo.espeak import RATE
from obvert.zoo.hearing import (
    END,
    HOP,
    POSITIONS,
    PREFIX,
    TASKS,
    encode,
    examine,
    extractor,
    filters,
    held_out,
    log_mel,
    token_ids,
    tokenizer,
    write,
)
from obvert.zoo.speech import ACCENTS, SECONDS, VARIANTS, corpus, phrases, voices
from obvert.zoo.training import Report, fit

EXAMPLES = 40
"""Held-out phrases that are written beside the weights, spoken."""


@dataclass(frozen=True, kw_only=True)
class RecogniserRecipe:
    """How a speech recogniser of the zoo is made."""

    accents: tuple[str, ...] = ACCENTS
    variants: tuple[str, ...] = VARIANTS
    """Of espeak-ng's voices; every variant in every accent."""
    width: int = 128
    heads: int = 2
    layers: int = 3
    """Of the encoder; the decoder has two."""
    mels: int = 80
    """Bands of the spectrogram."""
    ctc: float = 0.3
    """Weight w of connectionist temporal classification."""
    steps: int = 2500
    """Steps of training."""
    batch: int = 32
    """Phrases in a step."""
    lr: float = 1.5e-3
    """Highest learning rate of AdamW, ten times that for Muon; 100 steps of warm-up, then a cosine."""
    cycles: int = 1
    """Equal parts of the training, each from the highest rate down."""
    pool: int = 8000
    """Phrases spoken beforehand; every pass over them shifts, scales, masks and disturbs them otherwise."""
    seed: int = 0
    """Of the weights, the phrases and the order."""

    def __post_init__(self) -> None:
        if self.steps < 1 or not 1 <= self.batch <= self.pool or self.seed < 0 or self.width % self.heads:
            raise ValueError(f"need steps >= 1, 1 <= batch <= pool, seed >= 0 and heads that divide the width, got {self}")

    def build(self) -> Any:
        """The untrained WhisperForConditionalGeneration."""
        from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

        ids = token_ids()
        special = {"bos_token_id": ids[END], "eos_token_id": ids[END], "pad_token_id": ids[END]}
        special |= {"decoder_start_token_id": ids[PREFIX[0]]}
        config = WhisperConfig(
            vocab_size=len(ids),
            num_mel_bins=self.mels,
            d_model=self.width,
            encoder_layers=self.layers,
            decoder_layers=2,
            encoder_attention_heads=self.heads,
            decoder_attention_heads=self.heads,
            encoder_ffn_dim=4 * self.width,
            decoder_ffn_dim=4 * self.width,
            max_source_positions=SECONDS * RATE // HOP // 2,
            max_target_positions=POSITIONS,
            suppress_tokens=None,
            begin_suppress_tokens=None,
            **special,
        )
        model = WhisperForConditionalGeneration(config)
        model.generation_config = GenerationConfig(
            max_length=POSITIONS,
            is_multilingual=True,
            lang_to_id={PREFIX[1]: ids[PREFIX[1]]},
            task_to_id={task.strip("<|>"): ids[task] for task in TASKS},
            no_timestamps_token_id=ids[PREFIX[3]],
            **special,
        )
        return model

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the model (fp32, eval) and the minutes it took."""
        names = voices(self.accents, self.variants)
        heard = corpus(phrases(self.pool, self.seed + 1), names, self.seed + 1, folder.with_name(folder.name + ".speech"))
        torch.manual_seed(self.seed)
        model = self.build()
        model.set_attn_implementation("eager")  # on CPUs, much faster than the fused kernel at this size
        whole = nn.ModuleDict({"model": model, "ctc": nn.Linear(self.width, len(token_ids()))})
        bank = filters(self.mels)

        def loss(step: int) -> Tensor:
            rng = np.random.default_rng([self.seed, step])
            rows = rng.choice(len(heard.texts), self.batch, replace=False)
            sounds = torch.from_numpy(np.stack([disturbed(heard.wave(i), rng) for i in rows]))
            return self.loss(whole, masked(log_mel(sounds, bank), rng), encode([heard.texts[i] for i in rows]))

        common: dict[str, Any] = {"cycles": self.cycles, "recipe": repr(self), "report": report}
        minutes = fit(whole.train(), loss, steps=self.steps, lr=self.lr, folder=folder, **common)
        return model.eval(), minutes

    def loss(self, whole: nn.ModuleDict, mels: Tensor, ids: Tensor) -> Tensor:
        """Cross-entropy of the words, and connectionist temporal classification.

        Args:
            whole: the model, and the layer that reads words off its encoder.
            mels: (B, M, T) log-mel spectrograms.
            ids: (B, L) tokens, the prefix first, the end and -1 behind it last.

        Returns:
            The scalar loss.
        """
        end = token_ids()[END]
        out = whole["model"](input_features=mels, decoder_input_ids=ids[:, :-1].masked_fill(ids[:, :-1] < 0, end))
        spoken = F.cross_entropy(out.logits.float().transpose(1, 2), ids[:, 1:], ignore_index=-1)
        scores = whole["ctc"](out.encoder_last_hidden_state).float().log_softmax(-1)
        words, lengths = ids[:, len(PREFIX) :], (ids >= 0).sum(1) - len(PREFIX) - 1
        heard = torch.full((len(ids),), scores.shape[1])
        aligned = F.ctc_loss(scores.transpose(0, 1), words.clamp(min=0), heard, lengths, blank=end, zero_infinity=True)
        return spoken + self.ctc * aligned

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model with its card, in half precision, and spoken examples.

        Args:
            model: as `train` returned it.
            folder: written into; must be there.
            minutes: of training, for the card.

        Returns:
            The card: data, recipe, minutes, held-out scores.
        """
        model.half().save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o644)
        tokenizer().save_pretrained(folder)
        extractor(self.mels).save_pretrained(folder)
        given = held_out(256, folder.with_name(folder.name + ".held_out"))
        (folder / "examples").mkdir(exist_ok=True)
        for i in range(EXAMPLES):
            write(folder / "examples" / f"{given.texts[i].replace(' ', '-')}.wav", given.wave(i))
        card: dict[str, Any] = {"licence": "Apache-2.0", "data": "Speech, spoken by espeak-ng", "recipe": asdict(self)}
        card |= {"torch": torch.__version__, "minutes": round(minutes, 1)}
        card["scores"] = examine(read_model("WhisperForConditionalGeneration", folder), given)
        (folder / "card.json").write_text(json.dumps(card, indent=1))
        return card


def disturbed(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A phrase somewhere in the window, louder or softer, half the time in white noise of 10 to 40 dB below it."""
    window = np.zeros(SECONDS * RATE, dtype=np.float32)
    first = int(rng.integers(len(window) - len(sound) + 1))
    window[first : first + len(sound)] = sound * 10 ** (rng.uniform(-18, 3) / 20)
    if rng.random() < 0.5:
        level = window.std() * 10 ** (-rng.uniform(10, 40) / 20)
        window += level * rng.standard_normal(len(window), dtype=np.float32)
    return window.clip(-1, 1)


def masked(mels: Tensor, rng: np.random.Generator) -> Tensor:
    """Spectrograms of which a stretch of time and a stretch of bands are blank (SpecAugment)."""
    for mel in mels:
        for size, most in zip(mel.shape, (mel.shape[0] // 6, 25), strict=True):
            width = int(rng.integers(most + 1))
            first = int(rng.integers(size - width + 1))
            mel.narrow(0 if size == mel.shape[0] else 1, first, width).fill_(0)
    return mels
