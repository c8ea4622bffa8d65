"""What Qwen2.5-VL and Qwen3-VL share: a picture as a row of patches, of which each square merged is a token.

    p(answer | picture, question) = LM([template | merger(tower(patches)) | question], answer)

The processor keeps a picture's own size, up to whole squares of merged patches. Here all pictures are squares of one size, as
near to a wanted one as the folder's fewest and most pixels let it be; others are first resized to it with the processor's
filter. The network takes each patch once for each frame of a video of two, and is told where they lie. An answer ends with
<|im_end|>, as a turn of the chat does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from obvert.core import Card, Reader
from obvert.models.parts.folder import read_model
from obvert.models.parts.matched import matched
from obvert.models.parts.merged import read_merged
from obvert.models.parts.vision_language import Chat, reader

USUAL = {"size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280}}
"""Of the class of their image processors."""
TURN = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"  # noqa: E501
"""Template of a chat, after what a system says."""
EMBEDDING = r".*visual\.patch_embed\.proj"
"""The first layer of their image towers."""
END = "<|im_end|>"


def load_qwen(
    class_name: str,
    template: str,
    layer: str,
    edge: Callable[[Any], int],
    folder: Path,
    card: Card,
    device: torch.device,
    dtype: torch.dtype,
) -> Reader:
    """Load a Qwen2.5-VL or a Qwen3-VL from a local folder.

    Args:
        class_name: of transformers.
        template: of a chat, where the folder has none.
        layer: pattern of the layers of the image tower that can be looked at, besides its first.
        edge: configuration of the image tower -> edge of the square wanted, in pixels.
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
    vision = config.vision_config
    front = read_merged(folder, vision, edge(vision), USUAL)
    rows, columns = front.grid
    token = chat.token(config.image_token_id, "image_token_id")

    def given(x: Tensor, ids: Tensor, before: int) -> dict[str, Tensor]:
        return {
            "pixel_values": x.flatten(0, 1),
            "image_grid_thw": torch.tensor([[1, rows, columns]] * len(x), device=x.device),
            "mm_token_type_ids": (ids == config.image_token_id).int(),
        }

    return reader(
        card=card,
        network=network.to(device, dtype),
        chat=chat,
        front=matched(front, folder, card.name, other=front.near),
        picture=(token, token * (rows * columns // vision.spatial_merge_size**2)),
        given=given,
        layers=(EMBEDDING, layer),
        end=chat.id(END),
    )
