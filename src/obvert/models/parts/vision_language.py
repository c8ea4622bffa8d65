"""What vision-language models share: a question in a chat template, tokens in the picture's place, layers to watch.

    log p(answer | picture, question) = sum_t log p(y_t | template(picture, question), y_<t)

A family gives its preprocessing, the tokens of a prompt and what its network takes beside them; logits are asked for the
answer alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from obvert.core import Answer, Card, Domain, ObvertError, Reader
from obvert.models.parts.folder import read_tokenizer
from obvert.models.parts.reader import Words, build, ending, longest
from obvert.models.parts.towers import at_least_fp32

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
        return cls(tokenizer=tokenizer, template=tokenizer.chat_template or kept or otherwise)

    def prompt(self, question: str, pictures: int = 1) -> str:
        """Everything that stands before the answer, pictures as the template writes them."""
        content = [{"type": "image"}] * pictures + [{"type": "text", "text": question}]
        messages = [{"role": "user", "content": content}]
        said: str = self.tokenizer.apply_chat_template(
            messages, chat_template=self.template, add_generation_prompt=True, tokenize=False
        )
        return said

    def ids(self, prompt: str) -> list[int]:
        """Tokens of a prompt; what stands before every text is put there unless the prompt begins with it."""
        begun = bool(self.tokenizer.bos_token) and prompt.startswith(self.tokenizer.bos_token)
        return list(self.tokenizer(prompt, add_special_tokens=not begun)["input_ids"])

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
    question: str,
    medium: Domain,
    features: Domain,
    front: Callable[[Sequence[Tensor]], Tensor],
    back: Callable[[Tensor], Tensor],
    picture: tuple[str, str],
    given: Callable[[Tensor, Tensor], dict[str, Tensor]],
    layers: Sequence[str],
    end: int | None = None,
) -> Reader:
    """A reader around a vision-language model of transformers.

    Args:
        card: who it is.
        network: frozen, in eval mode, where and in which dtype it is to run.
        chat: how it is spoken to.
        question: what it is asked.
        medium: see `Reader`, as are the next three.
        features: of what the network takes.
        front: media -> features.
        back: features -> media.
        picture: how the template writes a picture, and what its processor makes of that.
        given: features (B, ...), ids (B, L) -> what the network takes beside `input_ids`.
        layers: patterns of the names of layers to watch, the patch embedding and the end of every MLP of the image tower.
        end: id of the token that ends an answer; the first at which `generate` stops when None.

    Returns:
        The reader.

    Raises:
        ObvertError: when the template has no place for a picture, or a pattern matches no layer.
    """
    asked = chat.prompt(question)
    if asked.count(picture[0]) != 1:
        raise ObvertError(f"need one {picture[0]} in the chat template of {card.name}, got: {asked[:80]!r}")
    prompt = torch.tensor([chat.ids(asked.replace(*picture))], device=network.device)
    end = ending(network.generation_config) if end is None else end
    if end is None:
        raise ObvertError(f"need eos_token_id in the generation_config.json of {card.name}, got none")
    words = Words(tokenizer=chat.tokenizer, end=end, before=chat.before(asked))
    length, text = prompt.shape[1], network.config.get_text_config()
    places = getattr(text, "max_position_embeddings", None)
    most = None if places is None else places - length + 1
    found = tuple(named(network, layers, card.name))

    def logits(x: Tensor, ids: Tensor) -> Tensor:
        read = torch.cat((prompt.expand(len(ids), -1), ids[:, :-1]), dim=1)
        said: Tensor = network(input_ids=read, **given(x, read), use_cache=False, logits_to_keep=ids.shape[1]).logits
        return said

    def greedy(x: Tensor) -> Tensor:
        read, new = prompt.expand(len(x), -1), longest(network.generation_config, length, most)
        said: Tensor = network.generate(
            input_ids=read,
            **given(x, read),
            attention_mask=torch.ones_like(read),
            do_sample=False,
            num_beams=1,
            max_new_tokens=new,
        )
        return said[:, length:]

    def told(text: str, answer: Answer) -> Tensor:
        instead = chat.ids(chat.prompt(f"{text.strip()}. {question}", pictures=0))
        ids = answer.ids.where(answer.mask, end)
        read = torch.cat((torch.tensor([instead], device=ids.device), ids[:, :-1]), dim=1)
        said = network(input_ids=read, use_cache=False, logits_to_keep=ids.shape[1]).logits
        return -cross_entropy(at_least_fp32(said).mT, ids, reduction="none") * answer.mask

    def ask(wanted: str) -> Reader:
        return reader(
            card=card,
            network=network,
            chat=chat,
            question=wanted.strip() or QUESTION,
            medium=medium,
            features=features,
            front=front,
            back=back,
            picture=picture,
            given=given,
            layers=layers,
            end=end,
        )

    plain = build(
        card=card,
        network=network,
        medium=medium,
        features=features,
        front=front,
        back=back,
        words=words,
        most=most,
        logits=logits,
        greedy=greedy,
        ask=ask,
    )
    return replace(
        plain,
        layers=found,
        language_layers=blocks(network),
        told=told,
        watch=lambda names: watched(network, names, card.name),
        checkpointed=lambda: checkpointed(network),
    )


def named(network: Any, patterns: Sequence[str], name: str) -> Iterator[str]:
    """Names of the layers that match, pattern by pattern, in the order of the network; ObvertError where one matches none."""
    there = [layer for layer, _ in network.named_modules()]
    for pattern in patterns:
        some = [layer for layer in there if re.fullmatch(pattern, layer)]
        if not some:
            raise ObvertError(f"need layers that match {pattern!r} in {name}, got none")
        yield from some


def blocks(network: Any) -> tuple[str, ...]:
    """Names of the language model's layers, first to last."""
    inside = network.get_decoder()
    (model,) = (name for name, module in network.named_modules() if module is inside)
    pattern = re.compile(rf"{re.escape(model)}(\..*)?\.layers\.\d+")
    return tuple(name for name, _ in network.named_modules() if pattern.fullmatch(name))


@contextmanager
def watched(network: Any, names: Sequence[str], name: str) -> Iterator[dict[str, Tensor]]:
    """Within, each run of the network leaves the outputs of these layers, as tokens of each picture.

    Args:
        network: the model.
        names: of its layers.
        name: of the model, for the error.

    Yields:
        {layer: (B, N, d)}, of the last run.

    Raises:
        ObvertError: for a layer that the network does not have, or that a run does not reach.
    """
    seen: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    if lacking := [layer for layer in names if layer not in modules]:
        raise ObvertError(f"need layers of {name}, got {', '.join(lacking)}")
    count = 0

    def begun(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal count
        count = len(kwargs["input_ids"])
        seen.clear()

    def keep(layer: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, args: Any, out: Any) -> None:
            out = out[0] if isinstance(out, tuple) else out
            if layer not in seen:  # a second time is the backward pass of a checkpoint
                seen[layer] = (out.flatten(2).mT if out.ndim == 4 else out).reshape(
                    count, -1, out.shape[1 if out.ndim == 4 else -1]
                )

        return hook

    with ExitStack() as stack:
        stack.callback(network.register_forward_pre_hook(begun, with_kwargs=True).remove)
        for layer in names:
            stack.callback(modules[layer].register_forward_hook(keep(layer)).remove)
        yield seen


@contextmanager
def checkpointed(network: Any) -> Iterator[None]:
    """Within, layers keep their inputs only, and run again in the backward pass.

    transformers does so in training alone, when dropout is on, too; here each layer is in training, and nothing within it.
    """
    from torch.utils.checkpoint import checkpoint
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
    rates = [(layer, layer.dropout) for layer in layers if isinstance(getattr(layer, "dropout", None), float)]
    again = partial(checkpoint, use_reentrant=False)
    try:
        for layer in layers:
            layer.training, layer.gradient_checkpointing, layer._gradient_checkpointing_func = True, True, again
        for layer, _ in rates:
            layer.dropout = 0.0
        yield
    finally:
        for layer in layers:
            layer.training = layer.gradient_checkpointing = False
        for layer, rate in rates:
            layer.dropout = rate
