"""LLaVA-NeXT (LLaVA-1.6) in transformers' LlavaNextForConditionalGeneration: a picture in tiles and as a whole.

    p(answer | picture, question) = LM([template | projector(tower(whole, tiles)) | question], answer)

The processor fits a picture into the best of several resolutions, its `image_grid_pinpoints`. Here all pictures have one
size: the largest square among them, 672 x 672 as a rule, or the first if none is square. Such a picture is cut into tiles
as it is, beside the whole in the size of one tile; others are first resized to it with the processor's filter. Each patch of
the whole and of the tiles is a token, with one more at the end of every row of the tiles' patches. An answer ends with the
first token at which the folder's generation_config.json stops.

References:
    | LLaVA-NeXT: Improved reasoning, OCR, and world knowledge (Liu et al., 2024)
    | https://llava-vl.github.io/blog/2024-01-30-llava-next
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from obvert.core import Card, Reader
from obvert.models.parts.folder import read_exact, read_model
from obvert.models.parts.matched import matched
from obvert.models.parts.preprocess import CLIP_MEAN, CLIP_STD
from obvert.models.parts.tiles import Tiles
from obvert.models.parts.vision_language import Chat, reader

TEMPLATE = "{% for m in messages %}[INST] {% for c in m.content %}{% if c.type == 'image' %}<image>\n{% else %}{{ c.text }}{% endif %}{% endfor %} [/INST]{% endfor %}"  # noqa: E501
LAYERS = (r".*vision_tower.*patch_embedding", r".*vision_tower.*layers\.\d+\.mlp\.fc2")


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a LLaVA-NeXT from a local folder.

    Args:
        folder: with config.json, safetensors, tokenizer and preprocessor files.
        card: who it is.
        device: where it runs.
        dtype: what its weights are cast to.

    Returns:
        The reader.

    Raises:
        ObvertError: when a file is missing or broken, or the preprocessing is another than ours.
    """
    network = read_model("LlavaNextForConditionalGeneration", folder)
    chat = Chat.read(folder, TEMPLATE)
    config = network.config
    sizes = config.vision_config
    height, width = size(config.image_grid_pinpoints)
    tile = sizes.image_size
    rows, columns, side = height // tile, width // tile, tile // sizes.patch_size
    pixels = read_exact(folder, (tile, tile), {"resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD})
    front = Tiles(pixels=pixels, size=(height, width), grid=(rows, columns), first=True)
    tokens = side * side + rows * side * (columns * side + 1)
    token = chat.token(config.image_token_index, "image_token_index")

    def given(x: Tensor, ids: Tensor, before: int) -> dict[str, Tensor]:
        return {"pixel_values": x, "image_sizes": torch.tensor([[height, width]] * len(x), device=x.device)}

    return reader(
        card=card,
        network=network.to(device, dtype),
        chat=chat,
        front=matched(front, folder, card.name),
        picture=(token, token * tokens),
        given=given,
        layers=LAYERS,
    )


def size(resolutions: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The largest square among (H, W), or the first if none is square."""
    squares = [(height, width) for height, width in resolutions if height == width]
    height, width = max(squares) if squares else resolutions[0]
    return height, width
