"""What readers share: texts as tokens and back, pictures as pixel values and back, and the likelihood of teacher forcing.

    log p(y_t | y_<t, x) = log softmax(logits(x, y)_t)[y_t]

A family gives two functions of what its network takes: the logits that predict the tokens of an answer, whatever stands
before it being its own affair, and the tokens that it says itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from obvert.core import Answer, Card, Domain, ObvertError, Reader
from obvert.models.parts.towers import at_least_fp32

LONGEST = 64
"""Tokens a reader says at most where its folder does not tell."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """A tokenizer without what it puts around texts."""

    tokenizer: Any
    end: int
    """Id of the token that ends an answer."""
    before: str = ""
    """What stands before each answer; its own tokens are not part of the answer."""

    def ids(self, text: str) -> list[int]:
        """Tokens of the text alone."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def answer(self, text: str) -> list[int]:
        """Tokens of the text as it follows what stands before it, and the end token."""
        return [*self.ids(self.before + text.strip())[len(self.ids(self.before.strip())) :], self.end]

    def spell(self, ids: Tensor) -> list[str]:
        """(N,) ids -> how each is spelled; by its own name where it is nothing but space."""
        return [self.tokenizer.decode([i]).strip() or str(self.tokenizer.convert_ids_to_tokens(i)) for i in ids.tolist()]

    def say(self, rows: Tensor) -> list[str]:
        """(B, L) ids -> texts, each up to its first end token, without special tokens."""
        cut = [row[: row.index(self.end)] if self.end in row else row for row in rows.tolist()]
        return [str(self.tokenizer.decode(row, skip_special_tokens=True)).strip() for row in cut]

    @property
    def unknown(self) -> int | None:
        """Id of the token for unknown words; None where there is none, or where it only ends texts."""
        found: int | None = self.tokenizer.unk_token_id
        return None if found == self.end else found


def build(
    *,
    card: Card,
    network: Any,
    medium: Domain,
    features: Domain,
    front: Callable[[Sequence[Tensor]], Tensor],
    back: Callable[[Tensor], Tensor],
    words: Words,
    most: int | None,
    logits: Callable[[Tensor, Tensor], Tensor],
    greedy: Callable[[Tensor], Tensor],
    ask: Callable[[str], Reader],
) -> Reader:
    """A reader around a network of transformers.

    Args:
        card: who it is.
        network: frozen, in eval mode, where and in which dtype it is to run.
        medium: see `Reader`, as are the next three.
        features: of what the network takes.
        front: media -> features.
        back: features -> media.
        words: its tokenizer.
        most: tokens that an answer may have, its end token included; None for any number.
        logits: features in the network's dtype, (B, L) ids of answers -> (B, L, V) the logits that predict these ids.
        greedy: features in the network's dtype -> (B, N) ids that it says, without what stands before them.
        ask: see `Reader`.

    Returns:
        The reader.

    Raises:
        ObvertError: when an instruction leaves no room for an answer.
    """
    if most is not None and most < 2:
        raise ObvertError(f"need an instruction that leaves room for an answer in {card.name}, got {words.before.strip()!r}")

    def check(x: Tensor) -> Tensor:
        if x.shape[1:] != features.shape:
            raise ObvertError(f"need (B, {', '.join(map(str, features.shape))}) for {card.name}, got {tuple(x.shape)}")
        return x.to(network.dtype)

    def tokens(texts: Sequence[str]) -> Answer:
        rows = [words.answer(text) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if most is not None and len(row) > most:
                raise ObvertError(f"need at most {most} tokens for {card.name}, got {len(row)}: {text[:60]!r}")
        longest = max(map(len, rows))
        ids = torch.tensor([row + [words.end] * (longest - len(row)) for row in rows], device=network.device)
        lengths = torch.tensor([len(row) for row in rows], device=network.device)
        return Answer(ids, torch.arange(longest, device=network.device) < lengths[:, None])

    def log_likelihood(x: Tensor, answer: Answer) -> Tensor:
        if len(x) != len(answer.ids):
            raise ObvertError(f"need a text for each of the {len(x)} samples, got {len(answer.ids)}")
        ids = answer.ids.where(answer.mask, words.end)
        found = at_least_fp32(logits(check(x), ids))
        return -cross_entropy(found.transpose(1, 2), ids, reduction="none").masked_fill(~answer.mask, 0)

    @torch.no_grad()
    def generate(x: Tensor) -> list[str]:
        return words.say(greedy(check(x))) if len(x) else []

    return Reader(
        card=card,
        device=network.device,
        dtype=network.dtype,
        medium=medium,
        features=features,
        front=front,
        back=back,
        tokens=tokens,
        spell=words.spell,
        log_likelihood=log_likelihood,
        generate=generate,
        ask=ask,
        unknown=words.unknown,
        parameters=lambda: dict(network.state_dict()),
    )


def ending(generation: Any) -> Any:
    """Id of the token at which `generate` stops, the first where there are several, from a GenerationConfig; None for none."""
    found = generation.eos_token_id
    return found[0] if isinstance(found, list) else found


def longest(generation: Any, before: int, most: int | None) -> int:
    """Tokens that `generate` may add.

    Args:
        generation: the GenerationConfig of the folder.
        before: tokens that stand before the answer.
        most: tokens for which there is room.

    Returns:
        What the folder tells, else `LONGEST`; never more than there is room for.
    """
    told = generation.max_new_tokens or (generation.max_length - before if generation.max_length else LONGEST)
    return max(1, told if most is None else min(told, most))


class Front(Protocol):
    """Preprocessing of pictures: to what a network takes, and back."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture that is taken as it is; others are resized to it first."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what the network takes of one picture."""

    def __call__(self, pictures: Sequence[Tensor]) -> Tensor:
        """Pictures (3, h, w) in [0, 1], of any sizes -> (B, *shape), differentiable; ValueError for others."""

    def undo(self, features: Tensor) -> Tensor:
        """(..., *shape) -> the same without the normalisation."""

    def back(self, features: Tensor) -> Tensor:
        """(B, *shape) -> pictures (B, 3, H, W) in [0, 1]."""


def picture(preprocess: Front) -> dict[str, Any]:
    """What a reader of pictures owes its preprocessing.

    Args:
        preprocess: of the folder.

    Returns:
        `medium`, `features`, `front` and `back` of the reader.
    """

    def front(pictures: Sequence[Tensor]) -> Tensor:
        try:
            return preprocess(pictures)
        except ValueError as error:
            raise ObvertError(str(error)) from error

    return {
        "medium": Domain(media="picture", shape=(3, *preprocess.size), bounds=(0.0, 1.0)),
        "features": Domain(media="picture", shape=preprocess.shape),
        "front": front,
        "back": preprocess.back,
    }
