"""What vision-language models share: a question in a chat template, tokens in the picture's place.

    log p(answer | picture, question) = sum_t log p(y_t | template(picture, question), y_<t)

A family gives its preprocessing, the tokens of a prompt and what its network takes beside them; logits are asked for the
answer alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from obvert.core import Answer, Card, ObvertError, Reader
from obvert.models.parts.folder import read_tokenizer
from obvert.models.parts.reader import Front, Words, build, ending, longest
from obvert.models.parts.reader import picture as media
from obvert.models.parts.towers import at_least_fp32
from obvert.models.parts.watching import layered

QUESTION = "What is in the picture?"
"""Asked where nothing else is."""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """How a model is spoken to."""

    tokenizer: Any
    template: str
    """In Jinja, of messages whose content is a list of pictures and texts."""

    @classmethod
    def read(cls, folder: Path, otherwise: str) -> Chat:
        """The folder's tokenizer and template; another template where it has none."""
        tokenizer, beside = read_tokenizer(folder), folder / "chat_template.json"
        kept = json.loads(beside.read_text()).get("chat_template") if beside.exists() else None
        own = tokenizer.chat_template
        return cls(tokenizer=tokenizer, template=(own.get("default") if isinstance(own, dict) else own) or kept or otherwise)

    def prompt(self, question: str, pictures: int = 1) -> str:
        """Everything that stands before the answer, pictures as the template writes them."""
        content = [{"type": "image"}] * pictures + [{"type": "text", "text": question}]
        messages = [{"role": "user", "content": content}]
        said: str = self.tokenizer.apply_chat_template(
            messages, chat_template=self.template, add_generation_prompt=True, tokenize=False
        )
        return said

    def ids(self, prompt: str) -> list[int]:
        """Tokens of a prompt; what stands before every text is put there unless the prompt has it."""
        begun = bool(self.tokenizer.bos_token) and self.tokenizer.bos_token in prompt
        return list(self.tokenizer(prompt, add_special_tokens=not begun)["input_ids"])

    def id(self, token: str) -> int | None:
        """Of a special token; None for one that is not in the vocabulary."""
        found: int | None = self.tokenizer.convert_tokens_to_ids(token)
        return None if found == self.tokenizer.unk_token_id else found

    def token(self, index: int, what: str) -> str:
        """How a token of that index is written; ObvertError when there is none."""
        found = self.tokenizer.convert_ids_to_tokens(index) if 0 <= index < len(self.tokenizer) else None
        if found is None:
            raise ObvertError(f"need {what} to be a token of the vocabulary, got {index}")
        return str(found)

    def before(self, prompt: str) -> str:
        """The last words of a prompt, whose answer may be spelled otherwise than a text that stands alone; "" for none."""
        special = "|".join(re.escape(token) for token in self.tokenizer.all_special_tokens)
        last = re.split(rf"{special}|\n" if special else r"\n", prompt)[-1].strip()
        return f"{last} " if last else ""


def reader(
    *,
    card: Card,
    network: Any,
    chat: Chat,
    front: Front,
    picture: tuple[str, str],
    given: Callable[[Tensor, Tensor, int], dict[str, Tensor]],
    layers: Sequence[str],
    usual: str = QUESTION,
    end: int | None = None,
    question: str = "",
) -> Reader:
    """A reader around a vision-language model of transformers.

    Args:
        card: who it is.
        network: frozen, in eval mode, where and in which dtype it is to run.
        chat: how it is spoken to.
        front: preprocessing of pictures.
        picture: how the template writes a picture, and what its processor makes of that.
        given: features (B, ...), ids (B, L), how many of them stand before the answer -> what the network takes beside
            `input_ids`; of that, `token_type_ids` is given without pictures, too.
        layers: patterns of the names of layers to watch, the patch embedding and the end of every MLP of the image tower.
        usual: what it is asked where nothing else is.
        end: id of the token that ends an answer; the first at which `generate` stops when None.
        question: what it is asked.

    Returns:
        The reader.

    Raises:
        ObvertError: when the template has no place for a picture, no token ends an answer, the question leaves no room
            for one, or a pattern matches no layer.
    """
    again = partial(
        reader,
        card=card,
        network=network,
        chat=chat,
        front=front,
        picture=picture,
        given=given,
        layers=layers,
        usual=usual,
        end=end,
    )
    question = question.strip() or usual
    asked = chat.prompt(question)
    if asked.count(picture[0]) != 1:
        raise ObvertError(f"need one {picture[0]} in the chat template of {card.name}, got: {asked[:80]!r}")
    prompt = torch.tensor([chat.ids(asked.replace(*picture))], device=network.device)
    end = ending(network.generation_config) if end is None else end
    if end is None:
        raise ObvertError(f"need eos_token_id in the generation_config.json of {card.name}, got none")
    words = Words(tokenizer=chat.tokenizer, end=end, before=chat.before(asked))
    length, places = prompt.shape[1], getattr(network.config.get_text_config(), "max_position_embeddings", None)
    most = None if places is None else places - length + 1
    if most is not None and most < 2:
        raise ObvertError(
            f"need a question that leaves room in the {places} tokens of {card.name}, got {length}: {question[:60]!r}"
        )

    def logits(x: Tensor, ids: Tensor) -> Tensor:
        read = torch.cat((prompt.expand(len(ids), -1), ids[:, :-1]), dim=1)
        said: Tensor = network(input_ids=read, **given(x, read, length), use_cache=False, logits_to_keep=ids.shape[1]).logits
        return said

    def greedy(x: Tensor) -> Tensor:
        read, new = prompt.expand(len(x), -1), longest(network.generation_config, length, most)
        how = {"do_sample": False, "num_beams": 1, "max_new_tokens": new, "eos_token_id": _stops(network.generation_config, end)}
        said: Tensor = network.generate(input_ids=read, **given(x, read, length), attention_mask=torch.ones_like(read), **how)
        return said[:, length:]

    def told(text: str, answer: Answer) -> Tensor:
        instead = chat.ids(chat.prompt(f"{text.strip()}. {question}", pictures=0))
        ids = answer.ids.where(answer.mask, words.end)
        read = torch.cat((torch.tensor([instead], device=ids.device), ids[:, :-1]), dim=1)
        blank = torch.zeros(1, *front.shape, dtype=network.dtype, device=network.device)
        types = {name: value for name, value in given(blank, read, len(instead)).items() if name == "token_type_ids"}
        said = network(input_ids=read, **types, use_cache=False, logits_to_keep=ids.shape[1]).logits
        return -cross_entropy(at_least_fp32(said).mT, ids, reduction="none") * answer.mask

    plain = build(
        card=card,
        network=network,
        **media(front),
        words=words,
        most=most,
        logits=logits,
        greedy=greedy,
        ask=lambda wanted: again(question=wanted),
    )
    return replace(layered(plain, network, layers, language=network.get_decoder()), told=told, answers=True)


def _stops(generation: Any, end: int) -> list[int]:
    """Ids of all tokens at which a model stops."""
    told = generation.eos_token_id
    return list(dict.fromkeys([end, *(told if isinstance(told, list) else [] if told is None else [told])]))
