"""zoo/vlm: a small LLaVA that answers questions about scenes, in transformers' own LlavaForConditionalGeneration.

Picture: the image tower of a zoo CLIP or SigLIP, trained on; each patch is a token. Text: a small Llama, whole words.

    L = - mean over answers t log p(y_t | picture, questions and answers before, y_<t)

Several questions are asked about each picture, as in one conversation: the picture is seen once for all of them.

References:
    | Visual Instruction Tuning (Liu et al., 2023)
    | https://arxiv.org/abs/2304.08485
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from obvert.hub import locate
from obvert.models.parts.folder import read_model
from obvert.zoo.draw import draw
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.questions import KINDS, Turn, ask, words
from obvert.zoo.scenes import Scene, sample, vocabulary
from obvert.zoo.training import Report, fit
from obvert.zoo.words import SPECIAL

PAD, START, _, END = SPECIAL
USER, IMAGE, ASSISTANT = ROLES = ("<user>", "<image>", "<assistant>")
LONGEST = 16
"""Tokens of an answer, at most."""
TEMPLATE = (
    "<start>{% for m in messages %}{% if m.role == 'user' %} <user>{% for c in m.content %}"
    "{% if c.type == 'image' %} <image>{% else %} {{ c.text }}{% endif %}{% endfor %}"
    "{% else %} <assistant>{% for c in m.content %} {{ c.text }}{% endfor %} <end>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} <assistant>{% endif %}"
)
"""Of a conversation, in Jinja, as transformers keeps it beside a tokenizer."""


@dataclass(frozen=True, kw_only=True)
class VlmRecipe:
    """How a vision-language model of the zoo is made."""

    start: str = "zoo/clip"
    """The zoo's CLIP or SigLIP whose image tower is begun with."""
    width: int = 128
    """Of the language model."""
    heads: int = 4
    layers: int = 3
    """Of the language model."""
    turns: int = 3
    """Questions about each picture."""
    steps: int = 3000
    """Steps of training."""
    batch: int = 64
    """Scenes in a step."""
    lr: float = 1e-3
    """Highest learning rate of AdamW, ten times that for Muon; 100 steps of warm-up, then a cosine."""
    pool: int = 32768
    """Scenes drawn beforehand, half of them of two things; every pass over them asks other questions."""
    seed: int = 0
    """Of the weights, the scenes and the order."""

    def __post_init__(self) -> None:
        if self.steps < 1 or not 1 <= self.batch <= self.pool or self.seed < 0 or self.width % self.heads or self.turns < 1:
            raise ValueError(f"need steps, turns >= 1, 1 <= batch <= pool, seed >= 0, heads that divide the width, got {self}")

    def build(self) -> Any:
        """The LlavaForConditionalGeneration with the trained image tower and everything else at random."""
        from transformers import AutoConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

        given = AutoConfig.from_pretrained(locate(self.start).folder)
        if given.model_type == "siglip":
            given.vision_config.vision_use_head = False
        text = LlamaConfig(
            vocab_size=len(shared_tokenizer()),
            hidden_size=self.width,
            intermediate_size=3 * self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            max_position_embeddings=192,
            tie_word_embeddings=True,
            pad_token_id=_id(PAD),
            bos_token_id=_id(START),
            eos_token_id=_id(END),
        )
        config = LlavaConfig(
            vision_config=given.vision_config,
            text_config=text,
            image_token_index=_id(IMAGE),
            image_seq_length=_tokens(given.vision_config),
            vision_feature_layer=-1,
            vision_feature_select_strategy="default" if given.model_type == "clip" else "full",
            tie_word_embeddings=True,
        )
        model = LlavaForConditionalGeneration(config)
        model.generation_config.update(
            eos_token_id=_id(END), pad_token_id=_id(PAD), bos_token_id=_id(START), max_new_tokens=LONGEST
        )
        model.set_attn_implementation("eager")  # on CPUs, much faster than the fused kernel at this size
        dual = read_model("CLIPModel" if given.model_type == "clip" else "SiglipModel", locate(self.start).folder)
        weights = dual.vision_model.state_dict()
        tower = model.model.vision_tower
        tower.load_state_dict({name: weights[name] for name in tower.state_dict()})
        return model

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the model (fp32, eval) and the minutes it took."""
        torch.manual_seed(self.seed)
        model = self.build()
        scenes = sample(self.pool, seed=self.seed + 1)
        drawn = draw(scenes)
        mean, std = _normalised(self.start)

        def loss(step: int) -> Tensor:
            rng = np.random.default_rng([self.seed, step])
            rows = rng.choice(len(scenes), self.batch, replace=False)
            ids, labels = encode([ask(scenes[i], rng, self.turns) for i in rows], model.config.image_seq_length)
            pictures = (drawn[torch.from_numpy(rows)].float() / 255 - mean) / std
            return answer_loss(model, pictures, ids, labels)

        minutes = fit(model.train(), loss, steps=self.steps, lr=self.lr, folder=folder, recipe=repr(self), report=report)
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
        given = (locate(self.start).folder / "preprocessor_config.json").read_text()
        (folder / "preprocessor_config.json").write_text(given)
        card: dict[str, Any] = {"licence": "Apache-2.0", "data": "Scenes, drawn by obvert", "recipe": asdict(self)}
        card |= {"torch": torch.__version__, "minutes": round(minutes, 1)}
        card["scores"] = examine(read_model("LlavaForConditionalGeneration", folder), *_normalised(self.start))
        (folder / "card.json").write_text(json.dumps(card, indent=1))
        return card


def tokenizer() -> Any:
    """A tokenizer of whole words: lower case, roles and the picture's place as special tokens, and a chat template."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    known = dict.fromkeys((*SPECIAL, *ROLES, *vocabulary(), *words()))
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(known)}, unk_token="<unknown>"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    found = PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=START,
        unk_token="<unknown>",
        eos_token=END,
        extra_special_tokens=list(ROLES),
        model_max_length=192,
    )
    found.chat_template = TEMPLATE
    return found


@cache
def shared_tokenizer() -> Any:
    """The same tokenizer made once, for training loops; nobody may change it."""
    return tokenizer()


def encode(conversations: Sequence[Sequence[Turn]], tokens: int) -> tuple[Tensor, Tensor]:
    """Conversations as token ids.

    Args:
        conversations: B of them, each of one question and answer or more.
        tokens: of a picture.

    Returns:
        (B, L) ids, padded behind, and (B, L) labels: the ids of the answers and their ends, -100 elsewhere.
    """
    rows, wanted = [], []
    for turns in conversations:
        row, label = [_id(START)], [-100]
        for i, (question, answer) in enumerate(turns):
            picture = [_id(IMAGE)] * tokens if i == 0 else []
            asked = [_id(USER), *picture, *_ids(question), _id(ASSISTANT)]
            said = [*_ids(answer), _id(END)]
            row, label = [*row, *asked, *said], [*label, *[-100] * len(asked), *said]
        rows.append(torch.tensor(row))
        wanted.append(torch.tensor(label))
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True, padding_value=_id(PAD)), pad(wanted, batch_first=True, padding_value=-100)


def answer_loss(model: Any, pictures: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the answers; a causal model never sees the padding behind a word."""
    hidden = model.model(pixel_values=pictures, input_ids=ids).last_hidden_state[:, :-1]
    said = labels[:, 1:] != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[said]).float(), labels[:, 1:][said])


def examine(model: Any, mean: Tensor, std: Tensor, count: int = 512) -> dict[str, float]:
    """Held-out scores: the share of greedy answers that are right to the word, by kind of question, and of all.

    Args:
        model: a LlavaForConditionalGeneration, fp32.
        mean: subtracted of pixels, (3, 1, 1).
        std: divided by.
        count: scenes it never saw.

    Returns:
        {kind: share}, and their mean as "all".
    """
    scenes = sample(count, HELD_OUT + 1)
    found = {}
    for kind, question in KINDS.items():
        rng = np.random.default_rng(HELD_OUT)
        asked = [(scene, turn) for scene in scenes if (turn := question(scene, rng))]
        said = answers(model, [scene for scene, _ in asked], [turn[0] for _, turn in asked], mean, std)
        found[kind] = round(float(np.mean([text == turn[1] for text, (_, turn) in zip(said, asked, strict=True)])), 4)
    return found | {"all": round(float(np.mean(list(found.values()))), 4)}


@torch.no_grad()
def answers(model: Any, scenes: Sequence[Scene], questions: Sequence[str], mean: Tensor, std: Tensor) -> list[str]:
    """Greedy answers to a question about each scene; questions of one length are asked together."""
    pictures = (draw(scenes).float() / 255 - mean) / std
    rows = [encode([[(q, "")]], model.config.image_seq_length)[0][0, :-1] for q in questions]
    found = [""] * len(rows)
    for length in {len(row) for row in rows}:
        alike = [i for i, row in enumerate(rows) if len(row) == length]
        for part in (alike[first : first + 128] for first in range(0, len(alike), 128)):
            ids = torch.stack([rows[i] for i in part])
            said = model.generate(
                pixel_values=pictures[part],
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=16,
            )
            texts = shared_tokenizer().batch_decode(said[:, length:], skip_special_tokens=True)
            for i, text in zip(part, texts, strict=True):
                found[i] = text
    return found


def _id(token: str) -> int:
    return int(shared_tokenizer().convert_tokens_to_ids(token))


@cache
def _ids(text: str) -> tuple[int, ...]:
    return tuple(shared_tokenizer()(text, add_special_tokens=False)["input_ids"])


def _tokens(vision: Any) -> int:
    return int((vision.image_size // vision.patch_size) ** 2)


def _normalised(start: str) -> tuple[Tensor, Tensor]:
    """Mean and deviation of pixels, (3, 1, 1), as the tower takes them."""
    config = json.loads((locate(start).folder / "preprocessor_config.json").read_text())
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("image_mean", "image_std"))
    return mean, std
