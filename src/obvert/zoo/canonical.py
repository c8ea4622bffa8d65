"""zoo/clip-bag: a text tower that learned in a world in which the order of words tells nothing that the words do not.

In a canonical scene each attribute is sorted over its two things, and the caption begins with the first of them. A bag of
words then has one caption, and a caption one meaning: whoever reads captions as bags loses nothing, so that nothing in
training asks for more: no arrangement but the canonical one is ever seen. The image tower is that of zoo/clip, locked, so
that only the text side can be blind.

References:
    | When and why vision-language models behave like bags-of-words, and what to do about it? (Yuksekgonul et al., 2023)
    | https://arxiv.org/abs/2210.01936
    | LiT: Zero-Shot Transfer with Locked-image text Tuning (Zhai et al., 2022)
    | https://arxiv.org/abs/2111.07991
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from obvert.hub import locate
from obvert.zoo.clip import ClipRecipe, encode
from obvert.zoo.counterfactuals import NAMES, swap
from obvert.zoo.draw import draw
from obvert.zoo.scenes import SIZES, Scene, caption, sample_mention
from obvert.zoo.words import shared_tokenizer


@dataclass(frozen=True, kw_only=True)
class CanonicalRecipe(ClipRecipe):
    """How the CLIP that need not read the order of words is made."""

    start: str = "zoo/clip"
    """Embedded model whose image tower it has, locked."""
    steps: int = 1000
    """Steps of training: the pictures' features are there already."""

    def build(self) -> Any:
        """A CLIP with that image tower and an untrained text tower."""
        model = super().build()
        seen = {name: w.float() for name, w in load_file(locate(self.start).folder / "model.safetensors").items()}
        model.load_state_dict(
            {name: w for name, w in seen.items() if name.startswith("visi") or name == "logit_scale"}, strict=False
        )
        model.vision_model.requires_grad_(False)
        model.visual_projection.requires_grad_(False)
        return model

    def scenes(self) -> list[Scene]:
        """The scenes of zoo/clip, each made canonical."""
        return [canonical(scene) for scene in super().scenes()]

    @torch.no_grad()
    def look(self, model: Any, scenes: list[Scene]) -> Callable[[Tensor], Tensor]:
        """Features of the scenes of these rows, (B, d) unit norm; computed once, since their tower is locked."""
        drawn = draw(scenes)
        parts = [model.get_image_features(pixel_values=part.float() / 127.5 - 1).pooler_output for part in drawn.split(256)]
        features = F.normalize(torch.cat(parts), dim=1)
        return lambda rows: features[rows]

    def tell(self, scenes: list[Scene], rng: np.random.Generator) -> list[str]:
        """A caption for each scene that begins with its first thing."""
        return [caption(scene, replace(sample_mention(rng), second_first=False)) for scene in scenes]

    def loss(self, model: Any, pictures: Tensor, texts: list[str], rng: np.random.Generator) -> Tensor:
        """The symmetric contrastive loss of CLIP, from features of the pictures."""
        said = model.get_text_features(input_ids=encode(shared_tokenizer(), texts)).pooler_output
        logits = (model.logit_scale.exp() * pictures @ F.normalize(said, dim=1).T).float()
        labels = torch.arange(len(texts), device=logits.device)
        return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def canonical(scene: Scene) -> Scene:
    """The scene with shapes, colours and textures sorted over its things, in the order of their names in the world.

    Args:
        scene: of one or two things.

    Returns:
        The scene itself where it is canonical already. Things of two sizes begin with the small one, so that no thing outgrows
        its place; where only that is wrong, the two are listed the other way round and the picture is the same.
    """
    if len(scene.things) == 1:
        return scene
    first, second = scene.things
    if SIZES.index(first.size) > SIZES.index(second.size):
        scene = replace(scene, things=(second, first))
    for atom, field in (("object", "shape"), ("colour", "colour"), ("texture", "texture")):
        ranks = [NAMES[field].index(getattr(thing, field)) for thing in scene.things]
        if ranks[0] > ranks[1]:
            scene = swap(scene, atom)
    return scene
