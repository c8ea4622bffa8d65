"""SpeechT5: a transformer that says a log-mel spectrogram frame by frame, then a HiFi-GAN.

    frame_t = decoder(frames before t, encoder(text), speaker)

Writing goes frame by frame until the model says that it has ended. To be compared with a sound, it is told the sound's own
frames before each (teacher forcing): lengths need not be guessed, but the text is no longer all that it is told. The prenet of
its decoder drops numbers at random even when nothing is trained; here it drops none, so that a text always sounds alike.

References:
    | SpeechT5: Unified-Modal Encoder-Decoder Pre-Training for Spoken Language Processing (Ao et al., 2021)
    | https://arxiv.org/abs/2110.07205
    | HiFi-GAN (Kong et al., 2020)
    | https://arxiv.org/abs/2010.05646
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.core import Card, ObvertError, Writer
from obvert.models.parts.folder import read_model, read_tokenizer
from obvert.models.parts.hooks import replaced
from obvert.models.parts.mel import Mel
from obvert.models.parts.speaking import LENGTH, SECONDS, Alphabet, build
from obvert.models.parts.towers import at_least_fp32
from obvert.models.parts.voice import read_speaker

FRAMES = 20.0
"""Frames a token, at most, as the class has it."""


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Writer:
    """Load a SpeechT5ForTextToSpeech from a local folder.

    Args:
        folder: with config.json, preprocessor_config.json, tokenizer and safetensors; in its subfolder `vocoder` a
            SpeechT5HifiGan; in speaker.safetensors the embedding of who speaks.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The writer.

    Raises:
        ObvertError: for a vocoder that is missing or takes another spectrogram, or broken files.
    """
    network = read_model("SpeechT5ForTextToSpeech", folder).to(device, dtype)
    if not (folder / "vocoder" / "config.json").exists():
        raise ObvertError(f"need a SpeechT5HifiGan in {folder / 'vocoder'}, got none: put microsoft/speecht5_hifigan there")
    vocoder = read_model("SpeechT5HifiGan", folder / "vocoder").to(device, dtype)
    config, hop = network.config, math.prod(vocoder.config.upsample_rates)
    mel = Mel.read(folder, config.num_mel_bins, hop)
    network.speecht5.decoder.prenet._consistent_dropout = lambda inputs, p: inputs
    speaker = read_speaker(folder, config.speaker_embedding_dim, card.name).to(device, dtype)
    embedding = network.speecht5.encoder.prenet.embed_tokens

    def asked(rows: Tensor) -> dict[str, Any]:
        """Arguments of the network for rows that stand in for embeddings."""
        ids = torch.zeros(rows.shape[:2], dtype=torch.long, device=rows.device)
        return {"attention_mask": torch.ones_like(ids), "speaker_embeddings": speaker.expand(len(rows), -1), "input_ids": ids}

    def speak(rows: Tensor) -> Tensor:
        longest = SECONDS * mel.rate / hop / rows.shape[1]
        with replaced(embedding, lambda _: rows.to(dtype)):
            found: Tensor = network.generate_speech(**asked(rows), maxlenratio=min(FRAMES, longest), vocoder=vocoder)
            return found

    def compare(rows: Tensor, sounds: Tensor) -> Tensor:
        factor = config.reduction_factor
        wanted = mel(at_least_fp32(sounds))
        wanted = wanted[:, : wanted.shape[1] // factor * factor]
        before = pad(wanted[:, factor - 1 :: factor], (0, 0, 1, 0))[:, :-1]
        with replaced(embedding, lambda _: rows.to(dtype)):
            said = network(**asked(rows), decoder_input_values=before.to(dtype)).spectrogram
        return (at_least_fp32(said) - wanted).abs().flatten(1).mean(1)

    return build(
        card=card,
        network=network,
        alphabet=Alphabet(
            tokenizer=read_tokenizer(folder),
            table=embedding.weight.detach(),
            name=card.name,
            length=min(LENGTH, config.max_text_positions),
        ),
        rate=mel.rate,
        hop=hop,
        speak=speak,
        compare=compare,
        parameters=lambda: network.state_dict() | {f"vocoder.{name}": v for name, v in vocoder.state_dict().items()},
    )
