"""Tiny random writers as folders that their own classes wrote, and the straightforward way through each: others' code."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tiny_pipelines
import torch
from torch import Tensor

from obvert.core.diffusion import draw_noise
from obvert.zoo.words import SPECIAL, tokenizer, vocabulary

STEPS, SEED = 3, 5


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


def of_pipeline(pipeline: Any, folder: Path, guidance: float, encode: dict[str, Any], **asked: Any) -> Truth:
    """A pipeline of diffusers; Flux packs its latents."""
    packs = type(pipeline).__name__ == "FluxPipeline"

    def told(texts: list[str]) -> Tensor:
        with torch.no_grad():
            hidden, *rest = pipeline.encode_prompt(texts, device="cpu", num_images_per_prompt=1, **encode)
        pooled = [part for part in rest if part is not None and part.ndim == 2 and len(part) == len(texts)]
        return torch.cat((hidden.flatten(1), pooled[-1]), dim=1) if pooled else hidden

    def written(text: str) -> Tensor:
        noise = draw_noise((4, 4, 4), 1, SEED)
        if packs:
            noise = pipeline._pack_latents(noise, 1, 4, 4, 4)
        given = {"latents": noise, "num_inference_steps": STEPS, "guidance_scale": guidance, "output_type": "pt"}
        return pipeline(text, height=8, width=8, **given, **asked).images[0]

    texts = ("a red circle", "a large blue moon")
    return Truth(folder=folder, guidance=guidance, told=told, written=written, texts=texts)


def stable_diffusion(folder: Path) -> Truth:
    pipeline = tiny_pipelines.stable_diffusion(folder, prediction_type="v_prediction")
    return of_pipeline(pipeline, folder, 3.0, {"do_classifier_free_guidance": False})


def stable_diffusion_3(folder: Path, t5: bool = False) -> Truth:
    pipeline = tiny_pipelines.stable_diffusion_3(folder, t5=t5, shift=3.0)
    encode = {"prompt_2": None, "prompt_3": None, "do_classifier_free_guidance": False}
    return of_pipeline(pipeline, folder, 3.0, encode)


def stable_diffusion_3_t5(folder: Path) -> Truth:
    return stable_diffusion_3(folder, t5=True)


def flux(folder: Path) -> Truth:
    pipeline = tiny_pipelines.flux(folder, guided=True, use_dynamic_shifting=True)
    return of_pipeline(pipeline, folder, 3.5, {"prompt_2": None})


def flux_schnell(folder: Path) -> Truth:
    pipeline = tiny_pipelines.flux(folder, guided=False, shift=1.0)
    return of_pipeline(pipeline, folder, 1.0, {"prompt_2": None})


def words() -> Any:
    """The zoo's tokenizer of whole words, with an end token alone."""
    from tokenizers.processors import TemplateProcessing

    found = tokenizer()
    found.backend_tokenizer.post_processor = TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 3)])
    found.return_token_type_ids = False
    return found


def of_synthesiser(folder: Path, network: Any, spelled: Any, embedding: Any, written: Callable[[Tensor], Tensor]) -> Truth:
    """A synthesiser: it is told the embeddings of its tokens."""

    def told(texts: list[str]) -> Tensor:
        return embedding(spelled(texts, return_tensors="pt").input_ids).detach()

    @torch.no_grad()
    def speak(text: str) -> Tensor:
        return written(spelled(text, return_tensors="pt").input_ids).reshape(1, -1)

    network.eval().requires_grad_(False)
    return Truth(folder=folder, guidance=None, told=told, written=speak, texts=("red moon", "blue ring"))


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
    return of_synthesiser(folder, network, spelled, network.text_encoder.embed_tokens, lambda ids: network(ids).waveform)


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

    return of_synthesiser(folder, whole, words(), whole.model.encoder.embed, written)


def fastspeech2_beside(folder: Path) -> Truth:
    return fastspeech2(folder, beside=True)


FAMILIES: dict[str, Callable[[Path], Truth]] = {
    "diffusion: Stable Diffusion": stable_diffusion,
    "diffusion: Stable Diffusion 3": stable_diffusion_3,
    "diffusion: Stable Diffusion 3 with a T5": stable_diffusion_3_t5,
    "diffusion: Flux dev": flux,
    "diffusion: Flux schnell": flux_schnell,
    "vits": vits,
    "vits: without blanks": vits_without_blanks,
    "speecht5": speecht5,
    "fastspeech2-conformer": fastspeech2,
    "fastspeech2-conformer: vocoder beside": fastspeech2_beside,
}
"""Each begins with the name of its family."""
