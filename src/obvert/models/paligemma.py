"""PaliGemma and PaliGemma 2 in transformers' PaliGemmaForConditionalGeneration: SigLIP's tower before a Gemma.

    p(answer | picture, question) = LM([projector(tower(pixels)) | bos | question | newline], answer)

Everything before the answer sees each other in both directions. There is no chat: a question is a task in the words of its
training, "caption en" where nothing else is asked, "answer en what is in the picture?". An answer ends with the first token
at which the folder's generation_config.json stops, <eos> as a rule.

References:
    | PaliGemma: A versatile 3B VLM for transfer (Beyer et al., 2024), https://arxiv.org/abs/2407.07726
    | PaliGemma 2: A Family of Versatile VLMs for Transfer (Steiner et al., 2024), https://arxiv.org/abs/2412.03555
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from obvert.core import Card, Reader
from obvert.models.parts.folder import read_model, read_preprocess
from obvert.models.parts.matched import matched, unlike
from obvert.models.parts.vision_language import Chat, reader

TEMPLATE = "{% for m in messages %}{% for c in m.content %}{% if c.type == 'image' %}<image>{% else %}{{ bos_token }}{{ c.text }}\n{% endif %}{% endfor %}{% endfor %}"  # noqa: E501
LAYERS = (r".*vision_tower.*patch_embedding", r".*vision_tower.*layers\.\d+\.mlp\.fc2")
TASK = "caption en"


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a PaliGemma from a local folder.

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
    network = read_model("PaliGemmaForConditionalGeneration", folder)
    chat = replace(Chat.read(folder, TEMPLATE), template=TEMPLATE)
    config = network.config
    sizes = config.vision_config
    front = read_preprocess(folder, sizes.image_size)
    token = chat.token(config.image_token_index, "image_token_index")

    def given(x: Tensor, ids: Tensor, before: int) -> dict[str, Tensor]:
        said = torch.arange(ids.shape[1], device=ids.device) >= before
        return {"pixel_values": x, "token_type_ids": said.long().expand(len(ids), -1)}

    return reader(
        card=card,
        network=network.to(device, dtype),
        chat=chat,
        front=matched(front, folder, card.name, other=unlike(front.size)),
        picture=("<image>", token * (sizes.image_size // sizes.patch_size) ** 2),
        given=given,
        layers=LAYERS,
        usual=TASK,
    )
