"""Readers: models from a medium to text. Captioners, speech recognisers, vision-language models.

    log p(text | medium) = sum_t log p(y_t | y_<t, network(front(medium)))

A reader has two places to search in: the medium itself (a picture, a waveform), and what its network takes (normalised
pixels, a log-mel spectrogram), most of which no medium has.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from obvert.core.autoencoder import Media
from obvert.core.model import Card
from obvert.core.search import ObvertError


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What one input of a map looks like."""

    media: Media
    shape: tuple[int, ...]
    """(C, H, W) of a picture, (T, C, h, w) of one in tiles, (N, d) of one in patches, (1, S) of a sound, (M, T) of a
    spectrogram."""
    bounds: tuple[float, float] | None = None
    """Range of its numbers; None when they are free."""
    rate: int | None = None
    """Samples a second of a sound, frames a second of a spectrogram."""


class OfMedium:
    """What is told of a model by its `medium`."""

    medium: Domain

    @property
    def media(self) -> Media:
        """Kind of its media."""
        return self.medium.media

    @property
    def channels(self) -> int | None:
        """Of its media."""
        return self.medium.shape[0]

    @property
    def rate(self) -> int | None:
        """Samples a second of its sounds."""
        return self.medium.rate


class Answer(NamedTuple):
    """Texts as a reader's tokens."""

    ids: Tensor
    """(B, L) int64: what is to be said, its end token included; anything where the mask is False."""
    mask: Tensor
    """(B, L) bool."""


@dataclass(frozen=True, kw_only=True)
class Reader(OfMedium):
    """A frozen model that says in words what it sees or hears."""

    card: Card
    device: torch.device
    dtype: torch.dtype
    """In which the network runs; media are fp32 outside."""
    medium: Domain
    """Of what it reads, as large as the network takes it."""
    features: Domain
    """Of what the network takes."""
    front: Callable[[Sequence[Tensor]], Tensor]
    """Media -> (B, *features.shape), differentiable; of whatever sizes, as the model's own
    preprocessing treats them: pictures are resized, shorter sounds are padded."""
    back: Callable[[Tensor], Tensor]
    """(B, *features.shape) -> media (B, *medium.shape) within their bounds: what `front` undone comes nearest to."""
    tokens: Callable[[Sequence[str]], Answer]
    """Texts, none empty -> their tokens."""
    spell: Callable[[Tensor], list[str]]
    """(N,) token ids -> how each is spelled."""
    log_likelihood: Callable[[Tensor, Answer], Tensor]
    """(B, *features.shape), answer -> (B, L) log p of each token given those before it, 0 where the mask is False;
    differentiable in its first argument."""
    generate: Callable[[Tensor], list[str]]
    """(B, *features.shape) -> the text most likely read, token by token."""
    ask: Callable[[str], Reader]
    """The same reader under another instruction: how a captioner begins, a recogniser's "LANGUAGE/TASK", a question."""
    answers: bool = False
    """Whether `ask` puts a question, which the text then answers."""
    unknown: int | None = None
    """Id of the token for words that are not in the vocabulary, where there is one."""
    layers: tuple[str, ...] = ()
    """Names of the layers of its image tower whose tokens can be watched."""
    watch: Callable[[Sequence[str]], AbstractContextManager[dict[str, Tensor]]] = lambda names: nullcontext({})
    """Layers -> a context in which every run of the network leaves their tokens, {layer: (B, N, d)}."""
    language_layers: tuple[str, ...] = ()
    """Names of the layers of its language model that can be watched, whose last tokens are those of the answer."""
    told: Callable[[str, Answer], Tensor] | None = None
    """A text that tells what a picture would show, and one answer -> (1, L) log p of its tokens, no picture given; under
    `watch`, what the model expects to see. None where it cannot do without pictures."""
    checkpointed: Callable[[], AbstractContextManager[None]] = nullcontext
    """A context in which layers run again in the backward pass, for less memory."""
    parameters: Callable[[], dict[str, Tensor]] = dict
    """The weights, for those who want to see that they did not change."""

    def vision_layers(self) -> tuple[str, ...]:
        """Names of the layers that `watch` takes, first to last: the patch embedding, and the end of every MLP; none without."""
        return self.layers

    def answer(self, texts: Sequence[str]) -> Answer:
        """Texts as tokens; words that the vocabulary lacks are named in a warning.

        Args:
            texts: B of them.

        Returns:
            Their tokens.

        Raises:
            ObvertError: for no texts, or an empty one.
        """
        if not texts or any(not text.strip() for text in texts):
            raise ObvertError(f"need texts of a word or more for {self.card.name}, got {list(texts) or 'none'}")
        found = self.tokens(texts)
        for text, ids, mask in zip(texts, found.ids, found.mask, strict=True):
            if self.unknown is not None and (ids[mask] == self.unknown).any():
                said = " ".join(self.spell(ids[mask]))
                warnings.warn(f"{text!r} has words that {self.card.name} does not know; it is read as: {said}", stacklevel=2)
        return found

    @torch.no_grad()
    def read(self, media: Sequence[Tensor]) -> list[str]:
        """What the model reads.

        Args:
            media: pictures (3, H, W) in [0, 1] of any size, or sounds (1, S) in [-1, 1] at `medium.rate`.

        Returns:
            A text for each.
        """
        return self.generate(self.front([m.to(self.device, torch.float32) for m in media])) if len(media) else []
