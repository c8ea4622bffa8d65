"""What synthesisers share: texts as tokens, prompts of any length in one tensor, and sounds of any length in another.

A text has L places, and most texts are shorter. A row of zeros at the end holds no token: the vocabulary has one row more than
the model's table, of zeros, and its token fills the places that a text leaves. All other rows are spoken, wherever they come
from. Likewise a sound ends with its last sample that is not zero; what follows is padding.

Samples of one length are run together and others apart, so that padding never reaches a network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from obvert.core import Card, Domain, ObvertError, Writer
from obvert.models.parts.towers import at_least_fp32

LENGTH = 200
"""Tokens of a text, at most."""
SECONDS = 20
"""Of a sound, at most."""
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """A tokenizer and the table of embeddings of its tokens."""

    tokenizer: Any
    table: Tensor
    """(V, d)."""
    name: str
    """Of the model, for errors."""
    blanks: bool = False
    """Tokens alternate with blanks, token 0, which begin and end a text; they are not counted as its tokens."""
    length: int = LENGTH
    """Tokens of a text, at most, those around it included."""

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, those around it included, blanks not."""
        try:
            ids = list(self.tokenizer(text).input_ids)
        except ImportError as error:
            raise ObvertError(
                f"need what the tokenizer of {self.name} needs, got: {str(error).strip().splitlines()[0]}"
            ) from error
        return ids[1::2] if self.blanks else ids

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """(B, length) ids; ObvertError for a text that is too long, or has nothing that can be spoken."""
        empty, rows = len(self.ids("")), [self.ids(text) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > self.length or (text.strip() and len(row) == empty):
                raise ObvertError(
                    f"need 1 to {self.length - empty} tokens for {self.name}, got {len(row) - empty} in {text[:60]!r}"
                )
        nothing = len(self.table)
        return torch.tensor([row + [nothing] * (self.length - len(row)) for row in rows], device=self.table.device)

    def spell(self, ids: Tensor) -> list[str]:
        """How tokens are spelled; no token as nothing."""
        known = len(self.table)
        return [str(self.tokenizer.convert_ids_to_tokens(i)) if i < known else "" for i in ids.tolist()]

    def words(self) -> tuple[int, int]:
        """First and one past the last place of a text's own tokens."""
        empty = self.ids("")
        after = int(bool(empty) and empty[-1] == self.tokenizer.eos_token_id)
        return len(empty) - after, self.length - after

    def vocabulary(self) -> Tensor:
        """(V + 1, d): the table, and a row of zeros for no token."""
        return pad(self.table, (0, 0, 0, 1))

    def choices(self) -> Tensor:
        """(V + 1,) bool: the tokens of texts."""
        known = torch.arange(len(self.table) + 1) < min(len(self.tokenizer), len(self.table))
        known[[i for i in self.tokenizer.all_special_ids if i is not None and i < len(known)]] = False
        return known.to(self.table.device)

    def prompt(self, embeddings: Tensor) -> Tensor:
        """(B, L, d) embeddings -> themselves, or (B, 2 L + 1, d) with blanks between and around those that are spoken."""
        if embeddings.shape[1:] != (self.length, self.table.shape[1]):
            wanted = f"(B, {self.length}, {self.table.shape[1]})"
            raise ObvertError(f"need embeddings {wanted} for {self.name}, got {tuple(embeddings.shape)}")
        if not self.blanks:
            return embeddings
        places = torch.arange(self.length + 1, device=embeddings.device)
        blank = torch.where((places <= self.spoken(embeddings)[:, None])[..., None], self.table[0].to(embeddings), 0.0)
        return torch.stack((blank, pad(embeddings, (0, 0, 0, 1))), dim=2).flatten(1, 2)[:, :-1]

    def states(self, prompts: Tensor) -> Tensor:
        """(B, L, d) the rows of prompts that belong to tokens."""
        return prompts[:, 1::2] if self.blanks else prompts

    @staticmethod
    def spoken(rows: Tensor) -> Tensor:
        """(B,) places up to the last that holds a token."""
        held = (rows.detach() != 0).any(-1)
        return (held * torch.arange(1, rows.shape[1] + 1, device=rows.device)).amax(1)

    def rows(self, prompts: Tensor) -> list[int]:
        """How many rows of each prompt are spoken; one at least."""
        count = self.spoken(self.states(prompts)).tolist()
        return [2 * n + 1 if self.blanks else max(n, 1) for n in count]


def build(
    *,
    card: Card,
    network: Any,
    alphabet: Alphabet,
    rate: int,
    hop: int,
    speak: Callable[[Tensor], Tensor],
    compare: Callable[[Tensor, Tensor], Tensor],
    timed: Callable[[Tensor, int], Tensor] | None = None,
    parameters: Callable[[], dict[str, Tensor]],
) -> Writer:
    """A synthesiser as a writer.

    Args:
        card: who it is.
        network: frozen, in eval mode, where and in which dtype it is to run.
        alphabet: its tokens.
        rate: samples a second.
        hop: samples a frame.
        speak: (1, n, d) rows of a prompt -> (S,) the sound; asked without gradients.
        compare: (B, n, d) rows, (B, S) sounds, S a multiple of the hop -> (B,) how far what is spoken lies from them.
        timed: (B, n, d) rows, frames -> (B, hop * frames) what is spoken, in so many frames; None where lengths are its own.
        parameters: the weights.

    Returns:
        The writer.
    """
    most = SECONDS * rate

    @torch.no_grad()
    def write(prompts: Tensor) -> Tensor:
        prompts = prompts.to(network.device)
        counts = alphabet.rows(prompts)
        sounds = [speak(prompts[i : i + 1, :n]).float()[:most] for i, n in enumerate(counts)]
        return pad_sequence(sounds, batch_first=True)[:, None].clamp(-1, 1) if sounds else torch.zeros(0, 1, 0)

    def mismatch(prompts: Tensor, media: Tensor) -> Tensor:
        if media.ndim != 3 or media.shape[:2] != (len(prompts), 1) or not 0 < media.shape[2] <= most:
            what = f"sounds ({len(prompts)}, 1, S) of at most {SECONDS} s at {rate} Hz"
            raise ObvertError(f"need {what} for {card.name}, got {tuple(media.shape)}")
        media = media.to(network.device)
        frames = [math.ceil(n / hop) for n in Alphabet.spoken(media.transpose(1, 2)).tolist()]
        if not all(frames):
            raise ObvertError(f"need sounds that are not silent for {card.name}, got silence at {frames.index(0)}")
        sounds = pad(media[:, 0], (0, hop))

        def run(rows: Tensor, key: tuple[int, int]) -> Tensor:
            return compare(prompts[rows, : key[0]], sounds[rows, : hop * key[1]])

        return in_groups(list(zip(alphabet.rows(prompts), frames, strict=True)), run)

    def last(prompts: Tensor, samples: int) -> Tensor:
        if not 0 < samples <= most or timed is None:
            raise ObvertError(f"need 1 to {most} samples for {card.name}, got {samples}")
        frames, prompts = math.ceil(samples / hop), prompts.to(network.device)
        found = in_groups(alphabet.rows(prompts), lambda rows, count: timed(prompts[rows, :count], frames))
        return at_least_fp32(found)[:, None, :samples].clamp(-1, 1)

    return Writer(
        card=card,
        device=network.device,
        dtype=network.dtype,
        medium=Domain(media="sound", shape=(1, most), bounds=(-1.0, 1.0), rate=rate),
        vocabulary=alphabet.vocabulary(),
        tokens=alphabet.tokens,
        spell=alphabet.spell,
        words=alphabet.words(),
        choices=alphabet.choices(),
        prompt=alphabet.prompt,
        states=alphabet.states,
        write=write,
        mismatch=mismatch,
        speak=last if timed else None,
        parameters=parameters,
    )


def in_groups(keys: Sequence[Key], run: Callable[[Tensor, Key], Tensor]) -> Tensor:
    """What `run` gives for the rows of each key, (rows, ...), in the order of the keys."""
    groups = [(torch.tensor([i for i, own in enumerate(keys) if own == key]), key) for key in dict.fromkeys(keys)]
    order = torch.cat([rows for rows, _ in groups]).argsort()
    found = torch.cat([run(rows, key) for rows, key in groups])
    return found[order.to(found.device)]


def stretched(durations: Tensor, total: int) -> Tensor:
    """Durations whose sum is exact: each ends where its share of the total does, rounded.

    Args:
        durations: (B, n), none negative; all alike where they are 0.
        total: the sum wanted.

    Returns:
        (B, n) int64; the same where the sum is right and they are whole.
    """
    ends = durations.detach().double().cumsum(1)
    ends = torch.where(ends[:, -1:] > 0, ends, torch.arange(1, ends.shape[1] + 1, device=ends.device, dtype=ends.dtype))
    return (ends / ends[:, -1:] * total).round().long().diff(dim=1, prepend=ends.new_zeros(len(ends), 1).long())
