"""zoo/speech-synthesiser: a small FastSpeech 2 with its vocoder, in transformers' own FastSpeech2ConformerWithHifiGan.

Tokens are letters. espeak-ng tells where each word starts; a word's letters share its frames evenly, and the decoder, which
sees 15 frames to each side, puts the sounds where they belong. The vocoder learns by spectra alone, without an adversary.

    acoustic model: |mel' - mel|, log durations, pitch and energy of each letter
    vocoder: for each resolution |log S' - log S| + ||S' - S|| / ||S||, and |mel' - mel|

References:
    | FastSpeech 2: Fast and High-Quality End-to-End Text to Speech (Ren et al., 2021)
    | https://arxiv.org/abs/2006.04558
    | HiFi-GAN (Kong et al., 2020), whose generator it is
    | https://arxiv.org/abs/2010.05646
    | Parallel WaveGAN (Yamamoto et al., 2020), for the multi-resolution loss
    | https://arxiv.org/abs/1910.11480
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from obvert.hub import locate
from obvert.models.parts.folder import read_model
from obvert.zoo.espeak import RATE
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.hearing import read, word_error_rate
from obvert.zoo.lessons import LETTERS, SPECIAL, Lesson, batch, crops, encode, spoken, tokenizer
from obvert.zoo.spectra import FLOOR, HOP, MELS, N_FFT, stft_loss
from obvert.zoo.speech import phrases
from obvert.zoo.training import Report, fit

RATES = (8, 8, 4)
"""Samples made of one by each stage of the vocoder; HOP in all."""


@dataclass(frozen=True, kw_only=True)
class SynthesiserRecipe:
    """How the speech synthesiser is made."""

    voice: str = "en-us+m3"
    """Of espeak-ng, whose one speed and pitch it learns."""
    width: int = 96
    layers: int = 2
    """Of the encoder, and of the decoder."""
    channels: int = 64
    """Of the vocoder's first stage; each further one has half."""
    steps: int = 1500
    """Steps of training of the acoustic model."""
    batch: int = 16
    """Phrases in a step."""
    vocoder_steps: int = 800
    """Steps of training of the vocoder."""
    crop: int = 32
    """Frames that the vocoder learns from at a time; a batch as large."""
    lr: float = 1e-3
    """Highest learning rate of AdamW, ten times that for Muon; 100 steps of warm-up, then a cosine."""
    pool: int = 3000
    """Phrases spoken beforehand."""
    judge: str = "zoo/speech-recogniser"
    """Who hears what it says, for the card."""
    seed: int = 0
    """Of the weights, the phrases and the order."""

    def __post_init__(self) -> None:
        if min(self.steps, self.vocoder_steps, self.crop) < 1 or not 1 <= self.batch <= self.pool or self.seed < 0:
            raise ValueError(f"need steps >= 1, 1 <= batch <= pool, crop >= 1 and seed >= 0, got {self}")

    def build(self) -> Any:
        """The untrained FastSpeech2ConformerWithHifiGan."""
        from transformers import (
            FastSpeech2ConformerConfig,
            FastSpeech2ConformerHifiGanConfig,
            FastSpeech2ConformerWithHifiGan,
            FastSpeech2ConformerWithHifiGanConfig,
        )

        drops = ("encoder", "encoder_positional", "encoder_attention", "decoder", "decoder_positional", "decoder_attention")
        rates = {f"{name}_dropout_rate": 0.0 for name in (*drops, "duration_predictor")}
        rates |= {f"{name}_dropout": 0.0 for name in ("pitch_predictor", "energy_predictor", "speech_decoder_postnet")}
        acoustic = FastSpeech2ConformerConfig(
            vocab_size=len(SPECIAL) + len(LETTERS),
            hidden_size=self.width,
            num_mel_bins=MELS,
            encoder_layers=self.layers,
            decoder_layers=self.layers,
            encoder_linear_units=2 * self.width,
            decoder_linear_units=2 * self.width,
            duration_predictor_channels=self.width,
            pitch_predictor_channels=self.width,
            pitch_predictor_layers=2,
            energy_predictor_channels=self.width,
            speech_decoder_postnet_layers=3,
            speech_decoder_postnet_units=self.width,
            **rates,
        )
        vocoder = FastSpeech2ConformerHifiGanConfig(
            model_in_dim=MELS,
            upsample_initial_channel=self.channels,
            upsample_rates=list(RATES),
            upsample_kernel_sizes=[2 * rate for rate in RATES],
            resblock_kernel_sizes=[3, 7],
            resblock_dilation_sizes=[[1, 3], [1, 3]],
            initializer_range=0.05,
        )
        config = FastSpeech2ConformerWithHifiGanConfig(model_config=acoustic, vocoder_config=vocoder)
        return FastSpeech2ConformerWithHifiGan(config)

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train both parts, or go on; returns the model (fp32, eval) and the minutes it took."""
        heard = spoken(self.pool, self.voice, self.seed + 1, folder.with_name(folder.name + ".speech"))
        torch.manual_seed(self.seed)
        model = self.build()
        lessons = [Lesson.of(heard, i) for i in range(len(heard.texts))]
        lessons.sort(key=lambda lesson: len(lesson.mel))
        frames = torch.cat([lesson.mel for lesson in lessons])
        model.vocoder.mean.copy_(frames.mean(0))
        model.vocoder.scale.copy_(frames.std(0))

        def say(step: int) -> Tensor:  # phrases about as long as each other, for little padding
            first = np.random.default_rng([self.seed, step]).integers(len(lessons) - self.batch + 1)
            return model.model(**batch(lessons[first : first + self.batch]), return_dict=True).loss

        def sing(step: int) -> Tensor:
            rng = np.random.default_rng([self.seed, step, 1])
            rows = rng.choice(len(lessons), self.batch, replace=False)
            mels, sounds = crops([lessons[i] for i in rows], self.crop, rng)
            return stft_loss(model.vocoder(mels).float(), sounds)

        common: dict[str, Any] = {"lr": self.lr, "recipe": repr(self), "report": report}
        minutes = fit(model.model.train(), say, steps=self.steps, folder=folder / "acoustic", **common)
        settle(model.model, lessons, self.batch)
        minutes += fit(model.vocoder.train(), sing, steps=self.vocoder_steps, folder=folder / "vocoder", **common)
        return model.eval(), minutes

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model with its card, in half precision.

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
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=1))
        card: dict[str, Any] = {"licence": "Apache-2.0", "data": "Speech, spoken by espeak-ng", "recipe": asdict(self)}
        card |= {"torch": torch.__version__, "minutes": round(minutes, 1)}
        card["scores"] = examine(read_model("FastSpeech2ConformerWithHifiGan", folder), self.judge)
        (folder / "card.json").write_text(json.dumps(card, indent=1))
        return card


PREPROCESSOR = {
    "feature_extractor_type": "SpeechT5FeatureExtractor",
    "feature_size": 1,
    "sampling_rate": RATE,
    "num_mel_bins": MELS,
    "hop_length": 1000 * HOP // RATE,
    "win_length": 1000 * N_FFT // RATE,
    "win_function": "hann_window",
    "fmin": 80,
    "fmax": 7600,
    "mel_floor": FLOOR,
    "padding_value": 0.0,
    "do_normalize": False,
    "return_attention_mask": True,
}
"""preprocessor_config.json: what its mel spectrograms are, which are those of SpeechT5."""


@torch.no_grad()
def settle(model: Any, lessons: list[Lesson], size: int) -> None:
    """Set the running statistics of batch normalisation anew, as checkpoints do not hold them."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
    for first in range(0, len(lessons) - size + 1, max(size, len(lessons) // 32)):
        model.train()(**batch(lessons[first : first + size]), return_dict=True)


@torch.no_grad()
def say(model: Any, texts: list[str]) -> list[np.ndarray]:
    """The sounds of texts, one at a time: (S,) samples in [-1, 1] at 16 kHz."""
    return [model(input_ids=encode([text]), return_dict=True).waveform.flatten().numpy() for text in texts]


def examine(model: Any, judge: str, count: int = 100) -> dict[str, float]:
    """Held-out scores of a synthesiser.

    Args:
        model: a FastSpeech2ConformerWithHifiGan, fp32.
        judge: a Whisper of the zoo that hears it: a name that `obvert.hub.locate` takes.
        count: phrases it never learnt to say.

    Returns:
        wer: word error rate of what the judge hears; seconds: of a phrase, on average.
    """
    texts = phrases(count, HELD_OUT + 2, held_out=True)
    sounds = say(model.eval(), texts)
    hearing = read_model("WhisperForConditionalGeneration", locate(judge).folder)
    heard = read(hearing, sounds)
    seconds = float(np.mean([len(sound) for sound in sounds])) / RATE
    return {"wer": round(word_error_rate(heard, texts), 4), "seconds": round(seconds, 2)}
