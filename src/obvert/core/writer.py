"""Writers: models from text to a medium. Text-to-image models, speech synthesisers.

    text --tokens--> ids --vocabulary--> embeddings --prompt--> prompt --write--> medium

Behind the table of the vocabulary all is continuous: embeddings and prompts can be searched where no text leads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from obvert.core.model import Card
from obvert.core.reader import Domain, OfMedium
from obvert.core.search import ObvertError


@dataclass(frozen=True, kw_only=True)
class Writer(OfMedium):
    """A frozen model that draws or speaks a text."""

    card: Card
    device: torch.device
    dtype: torch.dtype
    """In which the networks run; embeddings, prompts and media are fp32 outside."""
    medium: Domain
    """Of what it writes; of a sound, the shape is that of the longest."""
    vocabulary: Tensor
    """(V, d) embedding of each token."""
    tokens: Callable[[Sequence[str]], Tensor]
    """Texts -> (B, L) ids, special tokens included, cut and padded as the model does."""
    spell: Callable[[Tensor], list[str]]
    """(N,) token ids -> how each is spelled."""
    words: tuple[int, int]
    """First and one past the last of the L places that a text's own tokens can take."""
    prompt: Callable[[Tensor], Tensor]
    """(B, L, d) embeddings of tokens -> (B, *p) all that the generator is told, pooled features at the end; differentiable."""
    states: Callable[[Tensor], Tensor]
    """(B, *p) prompts -> (B, L, e) the rows of them that belong to tokens."""
    write: Callable[[Tensor], Tensor]
    """(B, *p) prompts -> media (B, C, ...) within their bounds, from the same noise for all; not differentiable."""
    mismatch: Callable[[Tensor, Tensor], Tensor]
    """(B, *p) prompts, media (B, C, ...) -> (B,) how far what they write lies from the media, as is usual for the family:
    squared error of pictures, absolute error of mel spectrograms; differentiable in the prompts."""
    denoising: Callable[[Tensor, Tensor, torch.Generator], Tensor] | None = None
    """(B, *p) prompts, media, a generator -> (B,) error of denoising the media at a random time, the same for all samples,
    differentiable in the prompts; None for writers that do not denoise."""
    speak: Callable[[Tensor, int], Tensor] | None = None
    """(B, *p) prompts, S -> sounds (B, 1, S), durations stretched to that length, differentiable in the prompts; None for
    writers that cannot be told how long."""
    choices: Tensor | None = None
    """(V,) bool: the tokens that a text's own places may hold, none of those that the model puts around texts; None for any."""
    parameters: Callable[[], dict[str, Tensor]] = dict
    """The weights, for those who want to see that they did not change."""

    def embed(self, ids: Tensor) -> Tensor:
        """(B, L) ids -> (B, L, d) rows of the vocabulary, fp32."""
        return self.vocabulary[ids].float()

    def sentence(self, rows: Tensor) -> Tensor:
        """A text around rows: what the model puts before and after the tokens of a text, and padding.

        Args:
            rows: (B, n, d) in place of the embeddings of its tokens.

        Returns:
            (B, L, d), as `prompt` takes it.

        Raises:
            ObvertError: for more rows than a text has places.
        """
        first, past = self.words
        if rows.shape[1] > past - first:
            raise ObvertError(f"need at most {past - first} tokens for {self.card.name}, got {rows.shape[1]}")
        empty = self.embed(self.tokens([""]).to(self.device)).to(rows).expand(len(rows), -1, -1)
        return torch.cat((empty[:, :first], rows, empty[:, first : empty.shape[1] - rows.shape[1]]), dim=1)

    @torch.no_grad()
    def draw(self, texts: Sequence[str]) -> Tensor:
        """The media of texts.

        Args:
            texts: B of them; of sounds, all that are not as long as the longest end in silence.

        Returns:
            (B, C, ...) within the medium's bounds.

        Raises:
            ObvertError: for no texts.
        """
        if not texts:
            raise ObvertError(f"need texts for {self.card.name}, got none")
        return self.write(self.prompt(self.embed(self.tokens(texts))))
