"""Text towers of pipelines: they read captions, or embeddings of tokens that no caption has.

A CLIP tower takes no embeddings; they stand in for what its table gives, so that its own code does the rest. It is pooled at
the first place that holds the end token's embedding, at the last place where none does.

Several towers read the same caption. Those of CLIP share a vocabulary: the embedding of a token is that of all of them, side
by side. A T5 has its own: its tokens follow, in places and in the vocabulary, and the text's own tokens are then T5's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from obvert.core import ObvertError
from obvert.core.diffusion import TextSide
from obvert.models.parts.folder import read_model, read_tokenizer
from obvert.models.parts.hooks import replaced


@dataclass(frozen=True, kw_only=True)
class TextTower:
    """A text tower of transformers and its tokenizer."""

    network: Any
    tokenizer: Any
    length: int
    """Tokens that captions are cut and padded to."""

    @classmethod
    def read(
        cls, class_name: str, folder: Path, number: str, device: torch.device, dtype: torch.dtype, length: int | None = None
    ) -> TextTower:
        """A text tower of a pipeline.

        Args:
            class_name: of transformers.
            folder: of the pipeline.
            number: "" for the first, "_2" for the second, "_3" for the third.
            device: where it runs.
            dtype: of its weights.
            length: tokens that captions are cut and padded to; as many as the tokenizer says when None.

        Returns:
            The tower.
        """
        tokenizer = read_tokenizer(folder / f"tokenizer{number}")
        network = read_model(class_name, folder / f"text_encoder{number}").to(device, dtype)
        return cls(network=network, tokenizer=tokenizer, length=length or tokenizer.model_max_length)

    @property
    def table(self) -> Tensor:
        """(V, d) embedding of each token."""
        found: Tensor = self.network.get_input_embeddings().weight
        return found.detach()

    @property
    def before(self) -> int:
        """Tokens that stand before those of a text; one ends it."""
        return len(self.tokenizer("").input_ids) - 1

    def tokens(self, captions: Sequence[str]) -> Tensor:
        """(B, length) ids of captions; words that the vocabulary lacks are named in a warning."""
        settings = {"padding": "max_length", "max_length": self.length, "truncation": True, "return_tensors": "pt"}
        ids: Tensor = self.tokenizer(list(captions), **settings).input_ids
        unknown, ends = self.tokenizer.unk_token_id, (self.tokenizer.eos_token_id, self.tokenizer.pad_token_id)
        for caption, row in zip(captions, ids, strict=True):
            if unknown is not None and unknown not in ends and (row == unknown).any():
                said = " ".join(self.spell(int(i)) for i in row if i == unknown or i not in self.tokenizer.all_special_ids)
                warnings.warn(f"{caption!r} has words that the text tower does not know; it reads: {said}", stacklevel=3)
        return ids.to(self.network.device)

    def ids(self, ids: Tensor, hidden: bool = False) -> Any:
        """What the network gives for ids; with all its hidden states where they are wanted."""
        return self.network(input_ids=ids, output_hidden_states=hidden)

    def rows(self, rows: Tensor, hidden: bool = False) -> Any:
        """What the network gives for embeddings (B, L, d), as `ids` has it; differentiable."""
        rows = rows.to(self.network.dtype)
        if self.network.config.model_type == "t5":
            return self.network(inputs_embeds=rows, output_hidden_states=hidden)
        end = self.tokenizer.eos_token_id
        ends = (rows.detach() == self.table[end]).all(-1)
        place = torch.where(ends.any(1), ends.int().argmax(1), rows.shape[1] - 1)
        ids = torch.zeros(rows.shape[:2], dtype=torch.long, device=rows.device).scatter(1, place[:, None], end)
        with replaced(self.network.get_input_embeddings(), lambda _: rows):
            return self.ids(ids, hidden)

    def spell(self, token: int) -> str:
        """How a token is spelled; by its own name where it is nothing but space."""
        return self.tokenizer.decode([token]).strip() or str(self.tokenizer.convert_ids_to_tokens(token))

    def choices(self) -> Tensor:
        """(V,) bool: the tokens of texts, none that stand around them."""
        known = torch.arange(len(self.table)) < len(self.tokenizer)
        known[[i for i in self.tokenizer.all_special_ids if i < len(known)]] = False
        return known


def text_side(short: Sequence[TextTower], long: TextTower | None, condition: Callable[[list[Tensor]], Any]) -> TextSide:
    """The text towers of a pipeline as one.

    Args:
        short: CLIP towers, one or more, equally long.
        long: a T5, where there is one.
        condition: embeddings for each tower, T5 last -> what the network takes.

    Returns:
        The text side.

    Raises:
        ObvertError: for CLIP towers of different vocabularies.
    """
    if len({(len(tower.table), tower.length, tower.tokenizer.eos_token_id) for tower in short}) > 1:
        raise ObvertError("need CLIP towers of one vocabulary, got several")
    joint = torch.cat([tower.table for tower in short], dim=1)
    pads = [tower.tokenizer.pad_token_id for tower in short]
    padded = len(joint)  # a token of its own for places that are padded with different ones
    if len(set(pads)) > 1:
        padding = torch.cat([tower.table[i] for tower, i in zip(short, pads, strict=True)])
        joint = torch.cat((joint, padding[None]))
    places, offset, widths = short[0].length, len(joint), [tower.table.shape[1] for tower in short]
    choices = pad(short[0].choices(), (0, offset - len(short[0].table)))
    if long:
        width = max(joint.shape[1], long.table.shape[1])
        joint = torch.cat([pad(table, (0, width - table.shape[1])) for table in (joint, long.table)])
        choices = torch.cat((torch.zeros(offset, dtype=torch.bool), long.choices()))

    def tokens(texts: Sequence[str]) -> Tensor:
        ids = torch.stack([tower.tokens(texts) for tower in short])
        alike = (ids == ids[0]).all(0)
        if not (alike | (ids == ids.new_tensor(pads)[:, None, None]).all(0)).all():
            raise ObvertError(f"need CLIP towers that read texts as the same tokens, got others for {list(texts)[:3]}")
        both = ids[0].where(alike, padded)
        return torch.cat((both, long.tokens(texts) + offset), dim=1) if long else both

    def spell(ids: Tensor) -> list[str]:
        found = []
        for i in ids.tolist():
            tower, own = (long, i - offset) if long and i >= offset else (short[0], i if i < len(short[0].table) else pads[0])
            found.append(tower.spell(own))
        return found

    def split(rows: Tensor) -> list[Tensor]:
        parts = list(rows[:, :places, : sum(widths)].split(widths, dim=2))
        return [*parts, rows[:, places:, : long.table.shape[1]]] if long else parts

    first, past = (places + long.before, places + long.length - 1) if long else (short[0].before, places - 1)
    return TextSide(
        vocabulary=joint,
        tokens=tokens,
        spell=spell,
        words=(first, past),
        choices=choices.to(joint.device),
        condition=lambda rows: condition(split(rows)),
    )
