"""Tiny random vision-language models as folders that their own classes wrote, and the straightforward way through each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import tiny
import torch
import transformers
from PIL import Image
from torch import Tensor

SIDE, PATCH, WIDTH = 16, 4, 16
PLACES = 384
"""Tokens that a language model reads."""
TOWER = {"hidden_size": WIDTH, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**TOWER, "image_size": SIDE, "patch_size": PATCH}
TEXT = {**TOWER, "num_key_value_heads": 1, "max_position_embeddings": PLACES}
SPECIAL = {"pad_token_id": 256, "bos_token_id": 257, "eos_token_id": 258}
QUESTION = "what colour is it?"
ADDED = {"token_type_ids": 0, "mm_token_type_ids": 0, "attention_mask": 1}
"""What a token of an answer adds to each row of the processor's output."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A vision-language model in the class it comes from, fp32, with its own processor."""

    folder: Path
    model: Any
    processor: Any
    size: tuple[int, int] | None = None
    """(H, W) to which pictures are resized before the processor; None where it takes any."""
    resample: int = 3
    """Pillow's number of its filter."""
    end: str = "</s>"
    added: dict[str, int] = field(default_factory=lambda: ADDED)
    chats: bool = True
    """Whether it has a chat template."""

    def image(self, picture: Tensor) -> Image.Image:
        image = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
        return image.resize(self.size[::-1], self.resample) if self.size else image

    def inputs(self, picture: Tensor, question: str) -> dict[str, Tensor]:
        """All that the processor makes of a picture and a question."""
        image = self.image(picture)
        if not self.chats:
            made = self.processor(text="<image>" + question, images=image)  # asked for tensors, it warns of numpy
            return {key: torch.as_tensor(np.array(value)) for key, value in made.items() if key != "labels"}
        content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
        return dict(
            self.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        )

    def with_answer(self, picture: Tensor, question: str, ids: list[int]) -> dict[str, Tensor]:
        """The same with the tokens of an answer behind."""
        given = self.inputs(picture, question)
        for key, value in {"input_ids": None, **self.added}.items():
            if key in given:
                more = torch.tensor([ids if value is None else [value] * len(ids)], dtype=given[key].dtype)
                given[key] = torch.cat((given[key], more), dim=1)
        return given


def words(named: dict[str, str], more: list[str]) -> Any:
    """A tokenizer of bytes, with special tokens, some of which have names."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    core.add_special_tokens(["<pad>", "<s>", "</s>"])
    core.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 257)])
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", extra_special_tokens=named
    )
    found.add_tokens(more, special_tokens=True)
    return found


def write(folder: Path, class_name: str, config: Any, processor: Any, end: str, template: str | None, **about: Any) -> Truth:
    """Save a random model of that class; load it again."""
    torch.manual_seed(0)
    model = tiny.roughen(getattr(transformers, class_name)(config))
    ends = [258, processor.tokenizer.convert_tokens_to_ids(end)]
    model.generation_config.update(eos_token_id=ends, pad_token_id=256, bos_token_id=257, max_new_tokens=5)
    model.save_pretrained(folder)
    processor.chat_template = processor.tokenizer.chat_template = template
    if hasattr(processor, "video_processor"):  # in two files, as older folders have it
        processor.tokenizer.save_pretrained(folder)
        processor.image_processor.save_pretrained(folder)
    else:
        processor.save_pretrained(folder)
    loaded = getattr(transformers, class_name).from_pretrained(folder).eval().requires_grad_(False)
    return Truth(folder=folder, model=loaded, processor=processor, end=end, chats=template is not None, **about)


def without_videos(class_name: str, *parts: Any, **more: Any) -> Any:
    """A processor that needs torchvision and num2words for videos alone, without them."""
    module = f"transformers.models.{class_name.removesuffix('Processor').lower()}"
    with mock.patch.object(transformers.ProcessorMixin, "check_argument_for_proper_class"):
        if class_name != "SmolVLMProcessor":
            return getattr(transformers, class_name)(*parts, video_processor=None, **more)
        with mock.patch(f"{module}.processing_smolvlm.num2words", object()):
            found = getattr(transformers, class_name)(*parts, None, **more)
    found.video_processor = SimpleNamespace(num_frames=1, fps=1, video_sampling={}, size={})
    return found


def text(kind: str, tokenizer: Any, **more: Any) -> dict[str, Any]:
    """Configuration of a language model."""
    return {**TEXT, **SPECIAL, "model_type": kind, "vocab_size": len(tokenizer), **more}
