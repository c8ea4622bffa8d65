"""What Idefics3 and SmolVLM share: a picture split into numbered tiles, each a fixed number of tokens.

    p(answer | picture, question) = LM([template | connector(tower(tiles, whole)) | question], answer)

The processor first resizes a picture's longest edge to the folder's `size`. Here all pictures are squares of that edge, so
that nothing is resized twice; others are first resized to it with the processor's filter. A square is cut into tiles of
`max_image_size`, and resized to one tile as a whole; where `do_image_splitting` is off, only that.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, ObvertError, Reader
from obvert.models.parts.folder import preprocessor_file, read_exact, read_model, read_settings
from obvert.models.parts.matched import matched
from obvert.models.parts.tiles import Tiles
from obvert.models.parts.vision_language import Chat, reader

LAYERS = (r".*vision_model.*patch_embedding", r".*vision_model.*mlp\.fc2")
END = "<end_of_utterance>"
AROUND, WHOLE = "<fake_token_around_image>", "<global-img>"


def load_split(class_name: str, template: str, folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load an Idefics3 or a SmolVLM from a local folder.

    Args:
        class_name: of transformers.
        template: of a chat, where the folder has none.
        folder: with config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The reader.

    Raises:
        ObvertError: when a file is missing or broken, or the preprocessing is another than ours.
    """
    network = read_model(class_name, folder)
    chat = Chat.read(folder, template)
    config = network.config
    sizes = config.vision_config
    front = tiles(folder, sizes.image_size)
    token = chat.token(config.image_token_id, "image_token_id")
    tokens = (sizes.image_size // sizes.patch_size) ** 2 // config.scale_factor**2

    def given(x: Tensor, ids: Tensor, before: int) -> dict[str, Tensor]:
        return {"pixel_values": alive(x)}

    return reader(
        card=card,
        network=network.to(device, dtype),
        chat=chat,
        front=matched(front, folder, card.name),
        picture=(token, written(front.grid, token * tokens)),
        given=given,
        layers=LAYERS,
        end=chat.id(END),
    )


def tiles(folder: Path, edge: int) -> Tiles:
    """The folder's preprocessing for tiles of that edge; ObvertError when it asks for others."""
    told: dict[str, Any] = {"size": {"longest_edge": 4 * 364}, "max_image_size": {"longest_edge": 364}, **read_settings(folder)}
    longest, tile = (told[name].get("longest_edge") for name in ("size", "max_image_size"))
    if tile != edge or longest is None:
        path = preprocessor_file(folder)
        raise ObvertError(f"need size by longest_edge and max_image_size of {edge} in {path}, got {told['size']} and {tile}")
    side = math.ceil(longest / tile)
    cut = told.get("do_image_splitting", True) and side > 1
    pixels = read_exact(folder, (tile, tile), {"resample": 1, "image_mean": (0.5,) * 3, "image_std": (0.5,) * 3})
    return Tiles(pixels=pixels, size=(longest, longest), grid=(side, side) if cut else None)


def written(grid: tuple[int, int] | None, tokens: str) -> str:
    """What stands in a prompt for a picture: each tile under its row and column, then the whole."""
    rows, columns = grid or (0, 0)
    each = ["".join(f"{AROUND}<row_{r + 1}_col_{c + 1}>{tokens}" for c in range(columns)) + "\n" for r in range(rows)]
    return "".join([*each, "\n" if each else "", f"{AROUND}{WHOLE}{tokens}{AROUND}"])


def alive(x: Tensor) -> Tensor:
    """(B, T, 3, h, w), no tile of which is all zeros: the class would take it for padding, and leave it out."""
    return x + (x == 0).all(dim=(-3, -2, -1), keepdim=True) * torch.finfo(x.dtype).tiny
