"""LLaVA and its kin in transformers' LlavaForConditionalGeneration: an image tower, a projector, a language model.

    p(answer | picture, question) = LM([template | projector(tower(pixels)) | question], answer)

Each patch of the picture is a token. Towers are CLIP's, whose class token is left out, or SigLIP's. An answer ends with the
first token at which the folder's generation_config.json stops, </s> as a rule.

References:
    | Visual Instruction Tuning (Liu et al., 2023), https://arxiv.org/abs/2304.08485
    | Improved Baselines with Visual Instruction Tuning (Liu et al., 2024), https://arxiv.org/abs/2310.03744
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from obvert.core import Card, Reader
from obvert.models.parts.folder import read_model, read_preprocess
from obvert.models.parts.matched import matched, unlike
from obvert.models.parts.vision_language import Chat, reader

TEMPLATE = "{% for m in messages %}USER: {% for c in m.content %}{% if c.type == 'image' %}<image>\n{% else %}{{ c.text }}{% endif %}{% endfor %}{% endfor %} ASSISTANT:"  # noqa: E501
LAYERS = (r".*vision_tower.*patch_embedding", r".*vision_tower.*layers\.\d+\.mlp\.fc2")


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Reader:
    """Load a LLaVA from a local folder.

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
    network = read_model("LlavaForConditionalGeneration", folder)
    chat = Chat.read(folder, TEMPLATE)
    config = network.config
    sizes = config.vision_config
    front = read_preprocess(folder, sizes.image_size)
    patches = (sizes.image_size // sizes.patch_size) ** 2
    whole = config.vision_feature_select_strategy == "full" and sizes.model_type == "clip_vision_model"
    token = chat.token(config.image_token_index, "image_token_index")

    def given(x: Tensor, ids: Tensor, before: int) -> dict[str, Tensor]:
        return {"pixel_values": x}

    return reader(
        card=card,
        network=network.to(device, dtype),
        chat=chat,
        front=matched(front, folder, card.name, other=unlike(front.size)),
        picture=(token, token * (patches + whole)),
        given=given,
        layers=LAYERS,
    )
