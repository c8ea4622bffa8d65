"""SLIP's network, its parameters named as SLIP names them: the plain, slow way through both towers.

The sizes are read off the weights; only the numbers of heads cannot be, and come from config.json.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

EPSILON = 1e-6
"""Of timm's layer norms in the image tower; the text tower has torch's own."""


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the GELU of CLIP's text tower."""

    def forward(self, x: Tensor) -> Tensor:
        """Element by element."""
        return x * torch.sigmoid(1.702 * x)


class TextBlock(nn.Module):
    """One pre-norm block of the text tower."""

    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        layers = {"c_fc": nn.Linear(width, hidden), "gelu": QuickGELU(), "c_proj": nn.Linear(hidden, width)}
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, width) tokens and a (T, T) mask, True where a query may not look -> (B, T, width)."""
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class TextBlocks(nn.Module):
    """All blocks of the text tower, under SLIP's name for them."""

    def __init__(self, blocks: Iterable[TextBlock]) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(blocks)


class PictureAttention(nn.Module):
    """Attention with the three projections in one matrix, query, key, value."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width}, which {heads} heads do not divide")
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) -> (B, T, width), every token seeing every other."""
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        seen = (query @ key.mT * query.shape[-1] ** -0.5).softmax(dim=-1)
        return self.proj((seen @ value).transpose(1, 2).flatten(2))


class PictureBlock(nn.Module):
    """One pre-norm block of the image tower."""

    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPSILON), nn.LayerNorm(width, eps=EPSILON)
        self.attn = PictureAttention(width, heads)
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(width, hidden), act=nn.GELU(), fc2=nn.Linear(hidden, width)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) -> (B, T, width)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Picture(nn.Module):
    """The image tower: a vision transformer without a norm before its blocks, read at its class token."""

    def __init__(self, *, width: int, hidden: int, depth: int, heads: int, patch: int, side: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (side // patch) ** 2, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, stride=patch)})
        self.blocks = nn.Sequential(*(PictureBlock(width, hidden, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def patchify(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, U, width) patch embeddings along the raster."""
        return self.patch_embed["proj"](pixels).flatten(2).transpose(1, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, width)."""
        patches = self.patchify(pixels)
        tokens = torch.cat((self.cls_token.expand(len(patches), -1, -1), patches), dim=1) + self.pos_embed
        return self.norm(self.blocks(tokens))[:, 0]


class Slip(nn.Module):
    """Both towers and their projections, built to fit given weights."""

    def __init__(self, weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        """Sizes from SLIP's tensors; heads, patch and image size from config.json. KeyError for what is not there."""
        super().__init__()
        words, hidden = weights["token_embedding.weight"], weights["transformer.resblocks.0.mlp.c_fc.weight"]
        (context, width), vision = weights["positional_embedding"].shape, weights["visual.cls_token"].shape[-1]
        self.side: int = config["image_size"]
        self.token_embedding = nn.Embedding(len(words), width)
        self.positional_embedding = nn.Parameter(torch.zeros(context, width))
        blocks = (TextBlock(width, len(hidden), config["text_heads"]) for _ in range(depth(weights, "transformer.resblocks.")))
        self.transformer = TextBlocks(blocks)
        self.ln_final = nn.LayerNorm(width)
        self.visual = Picture(
            width=vision,
            hidden=len(weights["visual.blocks.0.mlp.fc1.weight"]),
            depth=depth(weights, "visual.blocks."),
            heads=config["vision_heads"],
            patch=config["patch_size"],
            side=self.side,
        )
        dimension = weights["image_projection"].shape[1]
        self.image_projection = nn.Parameter(torch.zeros(vision, dimension))
        self.text_projection = nn.Parameter(torch.zeros(width, dimension))
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def encode_image(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) preprocessed pictures -> (B, d)."""
        return self.visual(pixels) @ self.image_projection

    def encode_text(self, ids: Tensor) -> Tensor:
        """(B, T) token ids -> (B, d), read where the id is largest, which is the end token."""
        length = ids.shape[1]
        x = self.token_embedding(ids) + self.positional_embedding[:length]
        mask = torch.ones(length, length, dtype=torch.bool, device=ids.device).triu(1)
        for block in self.transformer.resblocks:
            x = block(x, mask)
        return self.ln_final(x)[torch.arange(len(x)), ids.argmax(dim=-1)] @ self.text_projection


def depth(weights: Mapping[str, Tensor], prefix: str) -> int:
    """Blocks whose tensors begin with the prefix and a number."""
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})
