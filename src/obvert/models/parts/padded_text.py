"""SigLIP's text tower over the weights of a loaded model: bidirectional, padded to its whole context, read at the last place.

Every token sees every other, so there is no prefix to remember; the padding is part of what the model was trained on
and is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Map, ObvertError
from obvert.models.parts.dual import agree
from obvert.models.parts.folder import opening, read_tokenizer, write_model
from obvert.models.parts.towers import SCALE, at_least_fp32
from obvert.models.parts.tuning import Head, TunedParts


@dataclass(frozen=True, kw_only=True)
class PaddedText:
    """A bidirectional text tower of transformers and its tokenizer."""

    model: Any
    """With text_model and get_text_features."""
    tokenizer: Any
    prefix: list[int]
    """Token ids of "a photo of"."""
    end: int
    """Token id of the end."""
    pad: int
    """Token id of the padding, always to the right."""
    context: int
    lower: bool
    """Lower-case texts first: SigLIP 2 was trained so, and not every folder's Gemma tokenizer does it."""

    @classmethod
    def read(cls, model: Any, folder: Path) -> PaddedText:
        """The text tower of a loaded model; ObvertError for a tokenizer without padding or end token."""
        tokenizer = read_tokenizer(folder)
        prefix, end = opening(tokenizer)
        if tokenizer.pad_token_id is None:
            raise ObvertError(f"need a tokenizer with a padding token in {folder}, got none")
        return cls(
            model=model,
            tokenizer=tokenizer,
            prefix=prefix,
            end=end,
            pad=tokenizer.pad_token_id,
            context=model.config.text_config.max_position_embeddings,
            lower="gemma" in type(tokenizer).__name__.lower(),
        )

    @property
    def embedding(self) -> Tensor:
        """(vocabulary, width)."""
        return self.model.text_model.embeddings.token_embedding.weight

    def ids(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (B, context) token ids, cut with their end token kept."""
        texts = [text.lower() for text in texts] if self.lower else list(texts)
        how = {"padding": "max_length", "padding_side": "right", "truncation": True, "max_length": self.context}
        return self.tokenizer(texts, **how, return_tensors="pt")["input_ids"]

    def features(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (B, d), by the model's own code."""
        return self.model.get_text_features(input_ids=self.ids(texts).to(self.embedding.device)).pooler_output

    def from_tokens(self, tokens: int) -> Map:
        """(B, tokens, width) pseudo-tokens -> (B, d) features; ObvertError for more than the context holds."""
        room = self.context - len(self.prefix) - 1
        if not 1 <= tokens <= room:
            raise ObvertError(f"need 1 to {room} pseudo-tokens in this context, got {tokens}")
        text, embedding = self.model.text_model, self.embedding
        before, after = embedding[self.prefix], embedding[[self.end] + [self.pad] * (room - tokens)]

        def call(v: Tensor) -> Tensor:
            parts = (before.expand(len(v), -1, -1), v.to(before.dtype), after.expand(len(v), -1, -1))
            hidden = text.encoder(inputs_embeds=text.embeddings(inputs_embeds=torch.cat(parts, dim=1))).last_hidden_state
            return at_least_fp32(text.head(text.final_layer_norm(hidden)[:, -1]))

        return Map(call=call, shape=(tokens, embedding.shape[1]), scale=SCALE)

    def parts(self, folder: Path, see: Callable[[Any, Sequence[Tensor]], Tensor]) -> TunedParts:
        """What a copy to tune is made of.

        Args:
            folder: that the model was read from.
            see: network, images (3, H, W) in [0, 1] -> (B, d).

        Returns:
            The parts.
        """
        return TunedParts(
            network=self.model,
            pictures="vision_model",
            words="text_model",
            head=Head(module="text_model.head"),
            encode=lambda network, texts: replace(self, model=network).features(texts),
            see=see,
            write=lambda network, place: write_model(network, place, folder),
        )

    @torch.no_grad()
    def check(self) -> None:
        """Encoding from embeddings against the model's own code; ObvertError when they differ."""
        ids = [*self.prefix, self.end, self.end]
        slow = self.model.get_text_features(input_ids=torch.tensor([ids + [self.pad] * (self.context - len(ids))])).pooler_output
        agree(self.from_tokens(1)(self.embedding[[self.end]][None]), slow, "text")
