"""Tiny random synthesisers as folders that their own classes wrote, and the straightforward way through each: others' code."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.zoo.words import SPECIAL, tokenizer, vocabulary


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A writer in the class it comes from, fp32."""

    folder: Path
    guidance: float | None
    told: Callable[[list[str]], Tensor]
    """Texts, all of one length -> (B, ...) what the generator is told, by the class's own text path."""
    written: Callable[[str], Tensor]
    """A text -> (C, ...) the medium."""
    texts: tuple[str, ...]
    step: float = 1e-5
    """Share of x over which slopes are taken; longer where a part of the class counts in fp32 whatever its weights are."""
    decoded: Callable[[Tensor], Tensor] | None = None
    """(B, ...) prompts -> (B, C, H, W) pictures, not clipped, with gradients through the pipeline's own loop."""


def words() -> Any:
    """The zoo's tokenizer of whole words, with an end token alone."""
    from tokenizers.processors import TemplateProcessing

    found = tokenizer()
    found.backend_tokenizer.post_processor = TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 3)])
    found.return_token_type_ids = False
    return found


def of_synthesiser(
    folder: Path,
    network: Any,
    spelled: Any,
    embedding: Any,
    written: Callable[[Tensor], Tensor],
    texts: tuple[str, ...] = ("red moon", "blue ring"),
    step: float = 1e-5,
) -> Truth:
    """A synthesiser: it is told the embeddings of its tokens."""

    def told(texts: list[str]) -> Tensor:
        return embedding(spelled(texts, return_tensors="pt").input_ids).detach()

    @torch.no_grad()
    def speak(text: str) -> Tensor:
        return written(spelled(text, return_tensors="pt").input_ids).reshape(1, -1)

    network.eval().requires_grad_(False)
    return Truth(folder=folder, guidance=None, told=told, written=speak, texts=texts, step=step)


def vits(folder: Path, blanks: bool = True, stochastic: bool = True) -> Truth:
    import transformers

    torch.manual_seed(0)
    config = transformers.VitsConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        ffn_dim=16,
        flow_size=8,
        upsample_initial_channel=32,
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1,),),
        use_stochastic_duration_prediction=stochastic,
        duration_predictor_filter_channels=16,
        prior_encoder_num_flows=2,
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        speaking_rate=1.3,
    )
    network = transformers.VitsModel(config)
    with torch.no_grad():
        network.text_encoder.embed_tokens.weight.normal_()
    (folder.parent / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate("_" + string.ascii_lowercase + " ")}))
    vocab = str(folder.parent / "vocab.json")
    spelled = transformers.VitsTokenizer(vocab, pad_token="_", unk_token="_", add_blank=blanks, phonemize=False)
    network.save_pretrained(folder)
    spelled.save_pretrained(folder)
    network.noise_scale = network.noise_scale_duration = 0.0
    embedding = network.text_encoder.embed_tokens
    return of_synthesiser(folder, network, spelled, embedding, lambda ids: network(ids).waveform, ("red moon", "low ring"))


def vits_without_blanks(folder: Path) -> Truth:
    return vits(folder, blanks=False, stochastic=False)


def extractor(folder: Path) -> None:
    """The spectrogram of a synthesiser: 20 bands."""
    import transformers

    transformers.SpeechT5FeatureExtractor(num_mel_bins=20).save_pretrained(folder)


def speecht5(folder: Path) -> Truth:
    import transformers
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = transformers.SpeechT5Config(
        vocab_size=len(SPECIAL) + len(vocabulary()),
        hidden_size=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
        num_mel_bins=20,
        speech_decoder_prenet_units=16,
        speech_decoder_postnet_units=8,
        speech_decoder_postnet_layers=2,
        speaker_embedding_dim=4,
        positional_dropout=0.0,
        max_text_positions=12,
        pad_token_id=0,
        eos_token_id=3,
    )
    network = transformers.SpeechT5ForTextToSpeech(config)
    vocoder = transformers.SpeechT5HifiGan(hifigan(transformers.SpeechT5HifiGanConfig)).eval()
    with torch.no_grad():
        vocoder.mean.normal_()
        for weight in network.parameters():
            weight.normal_(std=0.2)
        network.speech_decoder_postnet.prob_out.bias.fill_(-2)
    speaker = torch.randn(4)
    network.save_pretrained(folder)
    vocoder.save_pretrained(folder / "vocoder")
    words().save_pretrained(folder)
    extractor(folder)
    save_file({"speaker": speaker}, folder / "speaker.safetensors")
    network.speecht5.decoder.prenet._consistent_dropout = lambda inputs, p: inputs
    embedding = network.speecht5.encoder.prenet.embed_tokens

    def written(ids: Tensor) -> Tensor:
        return network.generate_speech(ids, speaker[None], vocoder=vocoder)

    return of_synthesiser(folder, network, words(), embedding, written)


def hifigan(config: Any) -> Any:
    """The configuration of a small HiFi-GAN of 256 samples a frame of 20 bands."""
    return config(
        model_in_dim=20,
        upsample_initial_channel=32,
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1,),),
        initializer_range=0.2,
    )


def fastspeech2(folder: Path, beside: bool = False) -> Truth:
    import transformers

    torch.manual_seed(0)
    layers = {"encoder_layers": 1, "decoder_layers": 1, "encoder_linear_units": 16, "decoder_linear_units": 16}
    config = transformers.FastSpeech2ConformerConfig(
        hidden_size=16,
        vocab_size=len(SPECIAL) + len(vocabulary()),
        num_mel_bins=20,
        speech_decoder_postnet_layers=2,
        speech_decoder_postnet_units=8,
        duration_predictor_channels=8,
        energy_predictor_channels=8,
        pitch_predictor_channels=8,
        pitch_predictor_layers=2,
        speaking_speed=1.4,
        speaker_embed_dim=4 if beside else None,
        num_speakers=2 if beside else None,
        stop_gradient_from_pitch_predictor=False,
        **layers,
    )
    parts = [config.to_dict(), hifigan(transformers.FastSpeech2ConformerHifiGanConfig).to_dict()]
    whole = transformers.FastSpeech2ConformerWithHifiGan(
        transformers.FastSpeech2ConformerWithHifiGanConfig(model_config=parts[0], vocoder_config=parts[1])
    )
    with torch.no_grad():
        for weight in whole.model.parameters():
            weight.normal_(std=0.2)
        whole.model.encoder.embed.weight[0] = 0
        whole.model.duration_predictor.linear.bias.fill_(1.6)
    asked = {"speaker_ids": torch.zeros(1, 1).long(), "speaker_embedding": torch.zeros(1, 4)} if beside else {}
    if beside:
        whole.model.save_pretrained(folder)
        whole.vocoder.save_pretrained(folder / "vocoder")
    else:
        whole.save_pretrained(folder)
        extractor(folder)
    words().save_pretrained(folder)

    def written(ids: Tensor) -> Tensor:
        return whole(ids, **asked).waveform

    return of_synthesiser(folder, whole, words(), whole.model.encoder.embed, written, step=1e-4)


def fastspeech2_beside(folder: Path) -> Truth:
    return fastspeech2(folder, beside=True)
