"""Tiny random readers as folders that their own classes wrote, and the straightforward way through each: others' code."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tiny
import torch
from torch import Tensor

SIDE = tiny.SIDE
SECONDS, RATE = 1, 16000
LANGUAGES = ("en", "de")
SPACE = "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}"
IMAGES = 3
"""Tokens of a picture in BLIP-2."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A reader in the class it comes from, fp32, under one instruction."""

    folder: Path
    model: Any
    tokenizer: Any
    features: Callable[[list[Tensor]], Tensor]
    """Media -> what its own processor makes of them."""
    opening: Callable[[str], dict[str, Tensor]]
    """An instruction -> arguments of its forward and generate, of one sample, by its own processor."""
    decoder: str = "input_ids"
    """Argument of the forward that holds what was said so far."""
    start: list[int] = field(default_factory=list)
    """Ids that stand before an answer besides those of the opening."""
    end: int = 3
    most: int | None
    """Tokens that an answer may have."""
    other: str = "a photo of"
    """An instruction besides none."""
    generated: Callable[[Any, Tensor, str], Tensor]
    """The model, features of B samples, an instruction -> (B, N) ids, by its own generate."""

    def logits(self, features: Tensor, ids: list[int], instruction: str) -> Tensor:
        """(L,) what one sample's forward says of the token after those ids."""
        given = self.opening(instruction)
        said = torch.tensor([[*given.pop(self.decoder, torch.zeros(1, 0).long())[0].tolist(), *self.start, *ids]])
        return self.model(features[None], **given, **{self.decoder: said}).logits[0, -1]

    def loss(self, features: Tensor, ids: list[int], instruction: str) -> Tensor:
        """Its own loss of one sample, mean over the tokens of the answer."""
        given = self.opening(instruction)
        before = [*given.pop(self.decoder, torch.zeros(1, 0).long())[0].tolist(), *self.start]
        shifts = self.decoder == "input_ids"  # the class shifts labels itself
        said = before + (ids if shifts else ids[:-1])
        labels = [-100] * (len(before) - (not shifts)) + ids
        given |= {self.decoder: torch.tensor([said]), "labels": torch.tensor([labels])}
        return self.model(features[None], **given).loss


def words(image: bool = False, ends: bool = True) -> Any:
    """The zoo's tokenizer of whole words; with a token for pictures, without an end token of its own."""
    from tokenizers.processors import TemplateProcessing

    found = tiny.tokenizer()
    if image:
        found.add_tokens(["<image>"], special_tokens=True)
        found.return_token_type_ids = False
        form, special = ("$A <end>", ("<end>", 3)) if ends else ("<start> $A", ("<start>", 1))
        found.backend_tokenizer.post_processor = TemplateProcessing(single=form, special_tokens=[special])
    return found


def pixels(processor: Any) -> Callable[[list[Tensor]], Tensor]:
    """A processor of 8-bit pictures as a function of pictures in [0, 1]."""
    from PIL import Image

    def give(pictures: list[Tensor]) -> Tensor:
        images = [Image.fromarray((p * 255).round().byte().permute(1, 2, 0).numpy()) for p in pictures]
        return torch.cat([torch.as_tensor(processor(images=i, return_tensors="pt")["pixel_values"]) for i in images])

    return give


def loaded(class_name: str, folder: Path) -> Any:
    import transformers

    return getattr(transformers, class_name).from_pretrained(folder).eval().requires_grad_(False)


def blip(folder: Path) -> Truth:
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    text = {**tiny.TOWER, "bos_token_id": 1, "sep_token_id": 3, "pad_token_id": 0, "max_position_embeddings": 16}
    text |= {"vocab_size": len(words()), "encoder_hidden_size": tiny.WIDTH, "label_smoothing": 0.1}
    vision = {**tiny.PICTURE, "initializer_range": 0.02}  # the default is 1e-10
    torch.manual_seed(0)
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=16)
    tiny.roughen(BlipForConditionalGeneration(config)).save_pretrained(folder)
    processor = BlipProcessor(BlipImageProcessorPil(size={"height": SIDE, "width": SIDE}), words())
    processor.save_pretrained(folder)

    def opening(instruction: str) -> dict[str, Tensor]:
        ids = processor(text=instruction, return_tensors="pt")["input_ids"][:, :-1]  # without the end token
        return {"input_ids": ids}

    def generated(model: Any, features: Tensor, instruction: str) -> Tensor:
        given = processor(text=[instruction] * len(features), return_tensors="pt")
        found = model.generate(features, **given, do_sample=False, num_beams=1, max_length=16)
        return found[:, given["input_ids"].shape[1] - 1 :]

    return Truth(
        folder=folder,
        model=loaded("BlipForConditionalGeneration", folder),
        tokenizer=processor.tokenizer,
        features=pixels(processor.image_processor),
        opening=opening,
        most=16,
        generated=generated,
    )


def blip_2(folder: Path, language: dict[str, Any], decodes: bool) -> Truth:
    from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2Processor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    tokenizer = words(image=True, ends=not decodes)
    language = {"vocab_size": len(tokenizer), "bos_token_id": 1, "eos_token_id": 3, "pad_token_id": 0, **language}
    query = {**tiny.TOWER, "vocab_size": 8, "encoder_hidden_size": tiny.WIDTH}
    torch.manual_seed(0)
    config = Blip2Config(
        vision_config={**tiny.PICTURE, "initializer_range": 0.02},
        qformer_config=query,
        text_config=language,
        num_query_tokens=IMAGES,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = tiny.roughen(Blip2ForConditionalGeneration(config))
    model.save_pretrained(folder)
    processor = Blip2Processor(BlipImageProcessorPil(size={"height": SIDE, "width": SIDE}), tokenizer, IMAGES)
    tokenizer.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)

    def opening(instruction: str) -> dict[str, Tensor]:
        image = torch.tensor([[config.image_token_index] * IMAGES])
        if not instruction:  # as its own generate does
            return {"input_ids": torch.cat((image, torch.tensor([[1]])), dim=1)}
        return {"input_ids": torch.cat((image, processor(text=instruction, return_tensors="pt")["input_ids"]), dim=1)}

    def generated(model: Any, features: Tensor, instruction: str) -> Tensor:
        given = {"input_ids": opening(instruction)["input_ids"].expand(len(features), -1)} if instruction else {}
        found = model.generate(features, **given, do_sample=False, num_beams=1, max_new_tokens=12)
        return found[:, opening(instruction)["input_ids"].shape[1] if decodes else 1 :]

    return Truth(
        folder=folder,
        model=loaded("Blip2ForConditionalGeneration", folder),
        tokenizer=tokenizer,
        features=pixels(processor.image_processor),
        opening=opening,
        decoder="input_ids" if decodes else "decoder_input_ids",
        start=[] if decodes else [0],
        most=24 - IMAGES if decodes else None,
        generated=generated,
    )


def blip_2_opt(folder: Path) -> Truth:
    sizes = {"hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "word_embed_proj_dim": 32}
    return blip_2(folder, {"model_type": "opt", **sizes, "max_position_embeddings": 24}, decodes=True)


def blip_2_t5(folder: Path) -> Truth:
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
    return blip_2(folder, {"model_type": "t5", **sizes}, decodes=False)


def whisper(folder: Path, multilingual: bool = True, mels: int = 80) -> Truth:
    """Of windows of one second; its vocabulary is letters, of which the space is written as a G, and a few special tokens."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|notimestamps|>"]
    letters = [*string.ascii_lowercase, SPACE, SPACE + "r", "ed"]
    merges = [(SPACE, "r"), ("e", "d")]
    tokenizer = WhisperTokenizer(vocab={letter: i for i, letter in enumerate([*letters, special[0]])}, merges=merges)
    tokenizer.add_tokens(special[1:], special_tokens=True)
    tokenizer.save_pretrained(folder)
    of = tokenizer.convert_tokens_to_ids
    extractor = WhisperFeatureExtractor(feature_size=mels, chunk_length=SECONDS)
    extractor.save_pretrained(folder)
    end, start = of(special[0]), of(special[1])
    sizes = {f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in (("layers", 2), ("attention_heads", 2))}
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        **sizes,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        d_model=tiny.WIDTH,
        num_mel_bins=mels,
        max_source_positions=50 * SECONDS,
        max_target_positions=24,
        decoder_start_token_id=start,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        begin_suppress_tokens=[end],
    )
    model = tiny.roughen(WhisperForConditionalGeneration(config))
    settings: dict[str, Any] = {
        "is_multilingual": multilingual,
        "no_timestamps_token_id": of("<|notimestamps|>"),
        "max_length": config.max_target_positions,
        "begin_suppress_tokens": [end],
        "forced_decoder_ids": [[1, of("<|notimestamps|>")]],  # as OpenAI's English-only ones have it
    }
    if multilingual:
        settings["lang_to_id"] = {f"<|{code}|>": of(f"<|{code}|>") for code in LANGUAGES}
        settings["task_to_id"] = {task: of(f"<|{task}|>") for task in ("translate", "transcribe")}
        settings["forced_decoder_ids"] = [[1, None], [2, of("<|transcribe|>")]]
    ids = {"decoder_start_token_id": start, "bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    model.generation_config = GenerationConfig(**settings, **ids)
    model.save_pretrained(folder)

    def features(sounds: list[Tensor]) -> Tensor:
        return extractor([s[0].numpy() for s in sounds], sampling_rate=RATE, return_tensors="pt")["input_features"]

    def told(instruction: str) -> dict[str, str]:
        language, _, task = instruction.partition("/")
        return {"language": language or "en", "task": task or "transcribe"} if multilingual else {}

    def opening(instruction: str) -> dict[str, Tensor]:
        names = [f"<|{name}|>" for name in told(instruction).values()]
        return {"decoder_input_ids": torch.tensor([[start, *of([*names, "<|notimestamps|>"])]])}

    def generated(model: Any, features: Tensor, instruction: str) -> Tensor:
        return model.generate(features, **told(instruction), do_sample=False, num_beams=1)

    return Truth(
        folder=folder,
        model=loaded("WhisperForConditionalGeneration", folder),
        tokenizer=tokenizer,
        features=features,
        opening=opening,
        decoder="decoder_input_ids",
        end=end,
        most=21 if multilingual else 23,
        other="de/translate" if multilingual else "en/transcribe",
        generated=generated,
    )


def whisper_english(folder: Path) -> Truth:
    return whisper(folder, multilingual=False, mels=128)


FAMILIES: dict[str, Callable[[Path], Truth]] = {
    "blip": blip,
    "blip-2 of OPT": blip_2_opt,
    "blip-2 of T5": blip_2_t5,
    "whisper": whisper,
    "whisper of English": whisper_english,
}
"""Each begins with the name of its family."""


def change(path: Path, **settings: Any) -> None:
    """Change settings of a JSON file; None takes one away."""
    config = {**json.loads(path.read_text()), **settings}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def sounds() -> list[Tensor]:
    """Three sounds of different lengths, the second as long as the window."""
    generator = torch.Generator().manual_seed(1)
    time = torch.arange(RATE * SECONDS) / RATE
    whole = [torch.sin(2 * torch.pi * f * time) * 0.3 * torch.exp(-3 * time) for f in (220.0, 700.0, 3000.0)]
    noisy = [sound + 0.01 * torch.randn(sound.shape, generator=generator) for sound in whole]
    return [sound[None, :length] for sound, length in zip(noisy, (9000, RATE * SECONDS, 4321), strict=True)]
