"""Chatterbox: a language model from text to speech tokens (T3), and a flow from those to sound (S3Gen).

    p(token_t | tokens before t, text, voice)

Its package, chatterbox-tts, asks for other versions of torch and diffusers than this one, so it needs an environment of its own.
Speech tokens are drawn at random, from one seed here; the sound bears the package's watermark, as all that it generates. They
leave no gradient from the sound: how far a prompt lies from a sound is the cross-entropy, in nats a token, of the sound's own
speech tokens, each told those before it. Or, of a folder with "@mel" behind its name, the distance of mel spectrograms,

    mean |mel(sound) - flow(p)|,    p_t = p(. | tokens before t, text, voice)

where the flow is walked with a gradient and told, at each place, what the language model expects there.

References:
    | Chatterbox TTS (Resemble AI, 2025)
    | https://github.com/resemble-ai/chatterbox
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from obvert.core import Card, ObvertError, Writer
from obvert.models.parts.hooks import replaced
from obvert.models.parts.speaking import SECONDS, Alphabet, build
from obvert.models.parts.speech_flow import mel_of

HEARD, TOKENS = 16000, 25
"""Samples a second that speech tokens are made of; speech tokens a second."""
BY_MEL = "@mel"
"""Behind a folder's name: prompts are held against mel spectrograms."""
SPECIAL = ("[START]", "[STOP]", "[UNK]", "[PAD]", "[SEP]", "[CLS]", "[MASK]")


class _Letters:
    """Chatterbox's tokenizer as those of transformers are: its own start and stop around a text in its own punctuation."""

    def __init__(self, model: Any, normalise: Any) -> None:
        self.own, self.core, self.normalise = model.tokenizer, model.tokenizer.tokenizer, normalise
        self.start, self.eos_token_id = model.t3.hp.start_text_token, model.t3.hp.stop_text_token
        named = [self.core.token_to_id(name) for name in SPECIAL]
        self.all_special_ids = [self.start, self.eos_token_id, *(i for i in named if i is not None)]

    def __call__(self, text: str) -> Any:
        ids = self.own.text_to_tokens(self.normalise(text))[0].tolist() if text.strip() else []
        return SimpleNamespace(input_ids=[self.start, *ids, self.eos_token_id])

    def __len__(self) -> int:
        return int(self.core.get_vocab_size())

    def convert_ids_to_tokens(self, i: int) -> str:
        return str(self.core.id_to_token(i))


def load(name: str, device: torch.device, dtype: torch.dtype) -> Writer:
    """Load Chatterbox from a local folder.

    Args:
        name: the folder, as ResembleAI/chatterbox has it, the voice in conds.pt, which the package reads as plain tensors;
            with "@mel" behind it, prompts are held against mel spectrograms instead of speech tokens.
        device: where it runs.
        dtype: float32.

    Returns:
        The writer.

    Raises:
        ObvertError: without the package, for files that it does not read, or for another dtype.
    """
    try:
        from chatterbox.tts import ChatterboxTTS, punc_norm
        from scipy.signal import resample_poly
    except ImportError as error:
        raise ObvertError(
            f"need the package chatterbox-tts for chatterbox:{name}, got: {error}; in an environment of its own, "
            "pip install chatterbox-tts, then pip install --no-deps obvert"
        ) from error
    if dtype != torch.float32:
        raise ObvertError(f"need float32 for chatterbox:{name}, got {str(dtype).removeprefix('torch.')}")
    folder = name.removesuffix(BY_MEL)
    try:
        model = ChatterboxTTS.from_local(Path(folder).expanduser(), str(device))
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ObvertError(f"need the files of ResembleAI/chatterbox in {folder}, got: {reason}") from error
    if model.conds is None:
        raise ObvertError(f"need a voice in {folder}, got no conds.pt")
    network, speech = (part.requires_grad_(False) for part in (model.t3, model.s3gen))
    parts, voice, hop = {"t3": network, "s3gen": speech}, model.conds, model.sr // TOKENS
    card = Card(name=f"chatterbox:{name}", family="chatterbox", licence="MIT")

    def places(rows: Tensor) -> Tensor:
        """(B, n) ids for rows that stand in for embeddings: a start, a stop, and between them neither."""
        ids = torch.full(rows.shape[:2], 1 + max(network.hp.start_text_token, network.hp.stop_text_token), device=device)
        ids[:, 0], ids[:, -1] = network.hp.start_text_token, network.hp.stop_text_token
        return ids

    def speak(rows: Tensor) -> Tensor:
        both = rows.repeat(2, 1, 1)  # told and not told, for its guidance
        with torch.random.fork_rng(), replaced(network.text_emb, lambda _: both.clone()):
            torch.manual_seed(0)
            said = network.inference(t3_cond=voice.t3, text_tokens=places(both), max_new_tokens=SECONDS * TOKENS)[0]
            said = said[said < network.hp.start_speech_token]
            sound, _ = speech.inference(speech_tokens=said, ref_dict=voice.gen)
        marked = model.watermarker.apply_watermark(sound.squeeze(0).cpu().numpy(), sample_rate=model.sr)
        return torch.from_numpy(np.asarray(marked, dtype=np.float32)).flatten().to(device)

    def expect(rows: Tensor, sounds: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n, V) logits of the speech tokens of sounds, the last of them the end, and (B, n) those tokens."""
        heard = resample_poly(sounds.cpu().numpy(), HEARD // 8000, model.sr // 8000, axis=1)  # 24 to 16 kHz
        found, lengths = speech.tokenizer.forward(list(heard.astype(np.float32)), max_len=sounds.shape[1] // hop)
        tokens = torch.nn.functional.pad(found[:, : int(lengths.min())].to(device), (1, 1), value=network.hp.start_speech_token)
        tokens[:, -1] = network.hp.stop_speech_token
        counts = [torch.full((len(rows),), n, device=device) for n in (rows.shape[1], tokens.shape[1])]
        with replaced(network.text_emb, lambda _: rows):
            given = {"text_tokens": places(rows), "text_token_lens": counts[0], "speech_tokens": tokens, "training": True}
            logits = network(t3_cond=voice.t3, speech_token_lens=counts[1], **given).speech_logits
        return logits[:, :-1], tokens[:, 1:]

    def by_tokens(rows: Tensor, sounds: Tensor) -> Tensor:
        logits, tokens = expect(rows, sounds)
        return cross_entropy(logits.transpose(1, 2), tokens, reduction="none").mean(1)

    def by_mel(rows: Tensor, sounds: Tensor) -> Tensor:
        logits, _ = expect(rows, sounds)
        shares = logits[:, :-1, : speech.flow.vocab_size].softmax(-1)
        seen, heard = mel_of(speech.flow, shares, voice.gen), speech.mel_extractor(sounds.float()).to(shares)
        frames = min(seen.shape[2], heard.shape[2])
        return (seen[..., :frames] - heard[..., :frames]).abs().flatten(1).mean(1)

    with torch.no_grad():
        network.prepare_conditioning(voice.t3)  # which it keeps
    return build(
        card=card,
        network=SimpleNamespace(device=device, dtype=dtype),
        alphabet=Alphabet(tokenizer=_Letters(model, punc_norm), table=network.text_emb.weight.detach(), name=card.name),
        rate=model.sr,
        hop=hop,
        speak=speak,
        compare=by_mel if name.endswith(BY_MEL) else by_tokens,
        parameters=lambda: {f"{n}.{k}": v for n, part in parts.items() for k, v in part.state_dict().items()},
    )
