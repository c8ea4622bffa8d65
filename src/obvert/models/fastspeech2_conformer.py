"""FastSpeech 2 with conformer blocks: a log-mel spectrogram in one go, then a HiFi-GAN.

    text -> duration, pitch, energy of each token -> frames -> log-mel -> sound

Durations have no gradient; to be compared with a sound, they are stretched to its length. What is compared is the log-mel that
the acoustic part gives, if the folder tells in `preprocessor_config.json` (that of a SpeechT5FeatureExtractor) which log-mel
that is; ESPnet's own folders do not, and give one that is normalised by numbers that they do not hold: there the log-mel is
taken of the sound.

References:
    | FastSpeech 2: Fast and High-Quality End-to-End Text to Speech (Ren et al., 2020)
    | https://arxiv.org/abs/2006.04558
    | HiFi-GAN (Kong et al., 2020)
    | https://arxiv.org/abs/2010.05646
    | Recent Developments on ESPnet Toolkit Boosted by Conformer (Guo et al., 2020)
    | https://arxiv.org/abs/2010.13956
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, Writer
from obvert.models.parts.folder import read_model, read_tokenizer
from obvert.models.parts.hooks import replaced
from obvert.models.parts.mel import Mel
from obvert.models.parts.pipeline import read_json
from obvert.models.parts.speaking import SECONDS, Alphabet, build, stretched
from obvert.models.parts.towers import at_least_fp32
from obvert.models.parts.voice import read_speaker

RATE, WINDOW = 22050, 1024
"""Of ESPnet's models, which do not tell."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Writer:
    """Load a FastSpeech2ConformerWithHifiGan, or a FastSpeech2ConformerModel beside its `vocoder`, from a local folder.

    Args:
        folder: with config.json, tokenizer and safetensors.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The writer; a model of several voices or languages speaks with the first.
    """
    acoustic, vocoder = (part.to(device, dtype) for part in _networks(folder))
    config, hop = acoustic.config, math.prod(vocoder.config.upsample_rates)
    speed, config.speaking_speed = config.speaking_speed, 1.0  # applied below, so that lengths stay exact
    told = (folder / "preprocessor_config.json").exists()
    mel = Mel.read(folder, config.num_mel_bins, hop) if told else Mel.vits(RATE, WINDOW, hop)
    if not told:
        warnings.warn(f"{card.name} does not tell its spectrogram; sounds are compared, taken to be of {RATE} Hz", stacklevel=4)
    asked = {n: v.to(device, dtype if v.is_floating_point() else v.dtype) for n, v in _voice(config, folder, card).items()}
    factor = config.reduction_factor

    def spectrogram(rows: Tensor, frames: int | None) -> Tensor:
        """(B, n, d) rows -> (B, T, M), of so many frames, or of as many as it likes."""

        def timed(durations: Tensor) -> Tensor:
            spoken = (durations.float() * speed).round().long()
            most = SECONDS * mel.rate // (hop * factor)
            if frames is None and int(spoken.sum()) <= most:
                return spoken
            return stretched(spoken, most if frames is None else frames // factor)

        ids = torch.zeros(rows.shape[:2], dtype=torch.long, device=rows.device)
        given = {name: value.expand(len(rows), -1) for name, value in asked.items()}
        with (
            replaced(acoustic.encoder.embed, lambda _: rows.to(dtype)),
            replaced(acoustic.duration_predictor, timed),
        ):
            found: Tensor = acoustic(ids, **given).spectrogram
            return found

    def compare(rows: Tensor, sounds: Tensor) -> Tensor:
        frames = sounds.shape[1] // hop // factor * factor
        spoken = at_least_fp32(spectrogram(rows, frames) if told else vocoder(spectrogram(rows, frames)))
        wanted = mel(sounds[:, : frames * hop].to(spoken))
        return ((spoken if told else mel(spoken)) - wanted).abs().flatten(1).mean(1)

    return build(
        card=card,
        network=acoustic,
        alphabet=Alphabet(tokenizer=read_tokenizer(folder), table=acoustic.encoder.embed.weight.detach(), name=card.name),
        rate=mel.rate,
        hop=hop,
        speak=lambda rows: vocoder(spectrogram(rows, None))[0],
        compare=compare,
        timed=lambda rows, frames: vocoder(spectrogram(rows, -(-frames // factor) * factor))[:, : frames * hop],
        parameters=lambda: acoustic.state_dict() | {f"vocoder.{name}": v for name, v in vocoder.state_dict().items()},
    )


def _networks(folder: Path) -> tuple[Any, Any]:
    """The acoustic model and its vocoder."""
    if read_json(folder / "config.json").get("model_type") == "fastspeech2_conformer":
        acoustic = read_model("FastSpeech2ConformerModel", folder)
        vocoder = read_model("FastSpeech2ConformerHifiGan", folder / "vocoder")
    else:
        whole = read_model("FastSpeech2ConformerWithHifiGan", folder)
        acoustic, vocoder = whole.model, whole.vocoder
    # it expands tokens to frames in fp32 whatever its weights are
    acoustic.decoder.register_forward_pre_hook(lambda module, args: (args[0].to(acoustic.dtype), *args[1:]))
    return acoustic, vocoder


def _voice(config: Any, folder: Path, card: Card) -> dict[str, Tensor]:
    """Who speaks, one row each: arguments of the acoustic model."""
    found = {}
    for name, count in (("speaker_ids", config.num_speakers), ("lang_ids", config.num_languages)):
        if count and count > 1:
            found[name] = torch.zeros(1, 1, dtype=torch.long)
            warnings.warn(f"{card.name} speaks with the first of its {count} {name.replace('_ids', 's')}", stacklevel=5)
    if config.speaker_embed_dim:
        found["speaker_embedding"] = read_speaker(folder, config.speaker_embed_dim, card.name)
    return found
