"""SLIP written out slowly: timm's own VisionTransformer, and a text transformer over all 77 positions of each sentence."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from string import ascii_lowercase

import tiny
import torch
from torch import Tensor, nn

CONTEXT, HEADS, DIMENSION = 77, 2, 16
SOT, EOT = "<|startoftext|>", "<|endoftext|>"
WORDS = {word: i for i, word in enumerate([*ascii_lowercase, *(letter + "</w>" for letter in ascii_lowercase), SOT, EOT])}
CONFIG = {"model_type": "slip", "image_size": tiny.SIDE, "patch_size": tiny.PATCH, "vision_heads": HEADS, "text_heads": HEADS}
PREPROCESS = {
    "size": tiny.SIDE,
    "crop_size": tiny.SIDE,
    "resample": 2,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


class Quick(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(tiny.WIDTH, HEADS)
        self.ln_1, self.ln_2 = nn.LayerNorm(tiny.WIDTH), nn.LayerNorm(tiny.WIDTH)
        parts = OrderedDict(c_fc=nn.Linear(tiny.WIDTH, 48), gelu=Quick(), c_proj=nn.Linear(48, tiny.WIDTH))
        self.mlp = nn.Sequential(parts)

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.full((len(x), len(x)), -torch.inf, dtype=x.dtype).triu(1)
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Reference(nn.Module):
    def __init__(self) -> None:
        from timm.models.vision_transformer import VisionTransformer

        super().__init__()
        sizes = {"img_size": tiny.SIDE, "patch_size": tiny.PATCH, "embed_dim": tiny.WIDTH, "depth": 2, "num_heads": HEADS}
        self.visual = VisionTransformer(**sizes, mlp_ratio=1.5, num_classes=0)
        self.transformer = nn.ModuleDict({"resblocks": nn.Sequential(Layer(), Layer())})
        self.token_embedding = nn.Embedding(len(WORDS), tiny.WIDTH)
        self.positional_embedding = nn.Parameter(torch.zeros(CONTEXT, tiny.WIDTH))
        self.ln_final = nn.LayerNorm(tiny.WIDTH)
        self.image_projection = nn.Parameter(torch.zeros(tiny.WIDTH, DIMENSION))
        self.text_projection = nn.Parameter(torch.zeros(tiny.WIDTH, DIMENSION))
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.visual(pixels) @ self.image_projection

    def encode_text(self, ids: Tensor) -> Tensor:
        assert ids.shape[1] == CONTEXT
        x = (self.token_embedding(ids) + self.positional_embedding).permute(1, 0, 2)
        x = self.ln_final(self.transformer["resblocks"](x).permute(1, 0, 2))
        return x[torch.arange(len(x)), ids.argmax(dim=-1)] @ self.text_projection


def sentence(text: str) -> list[int]:
    """Token ids of a text, letter by letter, padded with zeros."""
    ids = [WORDS[letter + "</w>" * (i + 1 == len(word))] for word in text.split() for i, letter in enumerate(word)]
    return pad([WORDS[SOT], *ids, WORDS[EOT]])


def pad(ids: list[int]) -> list[int]:
    return ids + [0] * (CONTEXT - len(ids))


def reference() -> Reference:
    torch.manual_seed(0)
    return tiny.roughen(Reference()).requires_grad_(False)


def write(folder: Path, prefix: str = "") -> Path:
    """A folder as a user makes it; vocab.json and merges.txt for a tokenizer."""
    from safetensors.torch import save_file

    weights = {prefix + name: weight.contiguous() for name, weight in reference().state_dict().items()}
    if prefix:
        weights[prefix + "image_mlp.layer1.weight"] = torch.ones(3, 3)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESS))
    (folder / "vocab.json").write_text(json.dumps(WORDS))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder
