"""Tiny random vision-language models of every family, as their own classes and processors write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import transformers
from tiny_vlm_truth import PATCH, SIDE, VISION, WIDTH, Truth, text, without_videos, words, write


def llava(folder: Path, tower: str = "clip_vision_model") -> Truth:
    tokenizer = words({"image_token": "<image>"}, [])
    clip = tower.startswith("clip")
    image = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE)
    if not clip:
        image = transformers.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    select = "default" if clip else "full"
    config = transformers.LlavaConfig(
        vision_config={"model_type": tower, **VISION},
        text_config=text("llama", tokenizer),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy=select,
        vision_feature_layer=-2 if clip else -1,
    )
    processor = transformers.LlavaProcessor(image, tokenizer, PATCH, select, num_additional_image_tokens=int(clip))
    template = (
        "{% for m in messages %}USER: {% for c in m['content'] | selectattr('type', 'equalto', 'image') %}<image>\n{% endfor %}"
        "{% for c in m['content'] | selectattr('type', 'equalto', 'text') %}{{ c['text'] }} {% endfor %}{% endfor %}"
        "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    )
    return write(folder, "LlavaForConditionalGeneration", config, processor, "</s>", template)


def llava_siglip(folder: Path) -> Truth:
    return llava(folder, "siglip_vision_model")


def llava_next(folder: Path) -> Truth:
    tokenizer = words({"image_token": "<image>"}, [])
    resolutions = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE], [3 * SIDE, SIDE]]
    image = transformers.LlavaNextImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size=SIDE, image_grid_pinpoints=resolutions
    )
    config = transformers.LlavaNextConfig(
        vision_config={"model_type": "clip_vision_model", **VISION},
        text_config=text("mistral", tokenizer, sliding_window=None),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=resolutions,
    )
    processor = transformers.LlavaNextProcessor(image, tokenizer, PATCH, "default", num_additional_image_tokens=1)
    template = (
        "{{ bos_token }}{% for m in messages %}[INST] {% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %} [/INST]{% endfor %}"
    )
    size = (2 * SIDE, 2 * SIDE)
    return write(folder, "LlavaNextForConditionalGeneration", config, processor, "</s>", template, size=size)


CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}PICTURE"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""As Qwen and InternVL have it."""


def qwen(folder: Path, name: str, patch: int, vision: dict[str, Any], kind: str, edge: int, **more: Any) -> Truth:
    named = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    tokenizer = words(named, ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"])
    image = transformers.Qwen2VLImageProcessorPil(
        patch_size=patch, size={"shortest_edge": patch * patch * 4, "longest_edge": 40 * 40}
    )
    of = tokenizer.convert_tokens_to_ids
    config = getattr(transformers, f"{name}Config")(
        vision_config={"depth": 2, "num_heads": 2, "hidden_size": WIDTH, "patch_size": patch, "out_hidden_size": WIDTH, **vision},
        text_config=text(kind, tokenizer, **more),
        image_token_id=of("<|image_pad|>"),
        video_token_id=of("<|video_pad|>"),
        vision_start_token_id=of("<|vision_start|>"),
        vision_end_token_id=of("<|vision_end|>"),
    )
    processor = without_videos(f"{name}Processor", image, tokenizer)
    template = CHAT.replace("PICTURE", "<|vision_start|><|image_pad|><|vision_end|>")
    return write(folder, f"{name}ForConditionalGeneration", config, processor, "<|im_end|>", template, size=(edge, edge))


def qwen2_5_vl(folder: Path) -> Truth:
    vision = {"intermediate_size": 24, "window_size": 8, "fullatt_block_indexes": [1]}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
    return qwen(folder, "Qwen2_5_VL", 2, vision, "qwen2_5_vl_text", 32, rope_parameters=rope)


def qwen3_vl(folder: Path) -> Truth:
    vision = {"intermediate_size": 24, "num_position_embeddings": 36, "deepstack_visual_indexes": [0, 1]}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    return qwen(folder, "Qwen3VL", 4, vision, "qwen3_vl_text", 24, rope_parameters=rope, head_dim=8)


def gemma3(folder: Path) -> Truth:
    named = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    tokenizer = words(named, ["<start_of_turn>", "<end_of_turn>"])
    image = transformers.Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    of = tokenizer.convert_tokens_to_ids
    config = transformers.Gemma3Config(
        vision_config={"model_type": "siglip_vision_model", **VISION, "vision_use_head": False},
        text_config=text(
            "gemma3_text", tokenizer, head_dim=8, sliding_window=16, layer_types=["sliding_attention", "full_attention"]
        ),
        mm_tokens_per_image=4,
        boi_token_index=of("<start_of_image>"),
        eoi_token_index=of("<end_of_image>"),
        image_token_index=of("<image_soft_token>"),
    )
    processor = transformers.Gemma3Processor(image, tokenizer, image_seq_length=4)
    template = (
        "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}<start_of_image>{% else %}{{ c['text'] | trim }}{% endif %}{% endfor %}<end_of_turn>\n"
        "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    )
    return write(folder, "Gemma3ForConditionalGeneration", config, processor, "<end_of_turn>", template)


def split(folder: Path, name: str, text_kind: str) -> Truth:
    rows = [f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)]
    tokenizer = words({}, ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *rows])
    sizes = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}}
    image = getattr(transformers, f"{name}ImageProcessorPil")(**sizes)
    config = getattr(transformers, f"{name}Config")(
        vision_config=VISION,
        text_config=text(text_kind, tokenizer),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    if name == "Idefics3":
        processor = transformers.Idefics3Processor(image, tokenizer, image_seq_len=4)
    else:
        processor = without_videos("SmolVLMProcessor", image, tokenizer, image_seq_len=4)
    template = (
        "<s>{% for m in messages %}{{ m['role'] | capitalize }}{{ ':' if m['content'][0]['type'] == 'image' else ': ' }}"
        "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% else %}<image>{% endif %}{% endfor %}"
        "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
    )
    about = {"size": (2 * SIDE, 2 * SIDE), "resample": 1}
    return write(folder, f"{name}ForConditionalGeneration", config, processor, "<end_of_utterance>", template, **about)


def idefics3(folder: Path) -> Truth:
    return split(folder, "Idefics3", "llama")


def smolvlm(folder: Path) -> Truth:
    return split(folder, "SmolVLM", "llama")


def paligemma(folder: Path) -> Truth:
    tokenizer = words({"image_token": "<image>"}, [])
    image = transformers.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}, resample=3)
    image.image_seq_length = (SIDE // PATCH) ** 2
    with mock.patch("transformers.models.paligemma.processing_paligemma.EXTRA_TOKENS", ["<loc0000>"]):
        processor = transformers.PaliGemmaProcessor(image, tokenizer)
    config = transformers.PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", **VISION, "vision_use_head": False, "projection_dim": WIDTH},
        text_config=text("gemma", tokenizer, head_dim=8, tie_word_embeddings=False),
        tie_word_embeddings=False,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=WIDTH,
    )
    added = {"token_type_ids": 1, "attention_mask": 1}
    return write(folder, "PaliGemmaForConditionalGeneration", config, processor, "</s>", None, added=added)


def internvl(folder: Path) -> Truth:
    named = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    tokenizer = words({**named, "video_token": "<video>"}, ["<|im_start|>", "<|im_end|>"])
    image = transformers.GotOcr2ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    config = transformers.InternVLConfig(
        vision_config={**VISION, "layer_scale_init_value": 1.0},
        text_config=text("qwen2", tokenizer),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    processor = without_videos("InternVLProcessor", image, tokenizer, image_seq_length=4)
    template = CHAT.replace("PICTURE", "<IMG_CONTEXT>\n")
    size = (2 * SIDE, 2 * SIDE)
    return write(folder, "InternVLForConditionalGeneration", config, processor, "<|im_end|>", template, size=size)


FAMILIES: dict[str, Callable[[Path], Truth]] = {
    "llava": llava,
    "llava of SigLIP": llava_siglip,
    "llava-next": llava_next,
    "qwen2-5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
    "gemma3": gemma3,
    "idefics3": idefics3,
    "smolvlm": smolvlm,
    "paligemma": paligemma,
    "internvl": internvl,
}
"""Each begins with the name of its family."""
