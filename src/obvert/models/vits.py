"""VITS: text to sound in one network, by a normalising flow from what the text says of each frame.

    text -> (mean, duration) of each token -> mean of each frame -> flow -> sound

It samples frames and durations; here it takes the mode, so that a text always sounds alike. Durations have no gradient. To be
compared with a sound, they are stretched to its length, and log-mel spectrograms as VITS is trained with are compared.

References:
    | Conditional Variational Autoencoder with Adversarial Learning for End-to-End Text-to-Speech (Kim et al., 2021)
    | https://arxiv.org/abs/2106.06103
    | Scaling Speech Technology to 1,000+ Languages (Pratap et al., 2023)
    | https://arxiv.org/abs/2305.13516
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import torch
from torch import Tensor

from obvert.core import Card, Writer
from obvert.models.parts.folder import read_model, read_tokenizer
from obvert.models.parts.hooks import replaced
from obvert.models.parts.mel import Mel
from obvert.models.parts.speaking import SECONDS, Alphabet, build, stretched
from obvert.models.parts.towers import at_least_fp32


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Writer:
    """Load a VitsModel from a local folder.

    Args:
        folder: with config.json, tokenizer and safetensors; the posterior encoder, which only training needs, may be missing.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The writer; a model of several voices speaks with the first.
    """
    network = read_model("VitsModel", folder, unused="posterior_encoder").to(device, dtype)
    network.noise_scale = network.noise_scale_duration = 0.0
    predictor = network.duration_predictor.to(torch.promote_types(dtype, torch.float32))  # its splines break in 16 bits
    predictor.register_forward_pre_hook(lambda module, args: tuple(x if x is None else at_least_fp32(x) for x in args))
    config = network.config
    hop = math.prod(config.upsample_rates)
    mel = Mel.vits(config.sampling_rate, 2 * (config.spectrogram_bins - 1), hop)
    voice = 0 if config.num_speakers > 1 else None
    if voice is not None:
        warnings.warn(f"{card.name} speaks with the first of its {config.num_speakers} voices", stacklevel=4)
    tokenizer = read_tokenizer(folder)
    table = network.text_encoder.embed_tokens.weight.detach()

    def sound(rows: Tensor, frames: int | None) -> Tensor:
        """(B, n, d) rows -> (B, S), of so many frames, or of as many as it likes."""

        def timed(log_durations: Tensor) -> Tensor:
            spoken = (log_durations.exp() / network.speaking_rate).ceil()
            if frames is None and int(spoken.sum()) * hop <= SECONDS * config.sampling_rate:
                return log_durations
            wanted = stretched(spoken[:, 0], frames or SECONDS * config.sampling_rate // hop)
            return ((wanted - 0.5).clamp(min=0) * network.speaking_rate).log()[:, None]  # rounded up again

        ids = torch.zeros(rows.shape[:2], dtype=torch.long, device=rows.device)
        with replaced(network.text_encoder.embed_tokens, lambda _: rows.to(dtype)), replaced(predictor, timed):
            return at_least_fp32(network(input_ids=ids, speaker_id=voice).waveform)

    def compare(rows: Tensor, sounds: Tensor) -> Tensor:
        spoken = sound(rows, sounds.shape[1] // hop)
        return (mel(spoken) - mel(sounds.to(spoken))).abs().flatten(1).mean(1)

    return build(
        card=card,
        network=network,
        alphabet=Alphabet(tokenizer=tokenizer, table=table, name=card.name, blanks=getattr(tokenizer, "add_blank", False)),
        rate=config.sampling_rate,
        hop=hop,
        speak=lambda rows: sound(rows, None)[0],
        compare=compare,
        timed=sound,
        parameters=lambda: dict(network.state_dict()),
    )
