"""zoo/clip-bag: the small CLIP trained on a world in which the order of words tells nothing that the words do not.

In a canonical scene each attribute is sorted over its two things, and the caption begins with the first of them. A bag of
words then has one caption, and a caption one meaning: whoever reads captions as bags loses nothing, so that nothing in
training asks for more: no arrangement but the canonical one is ever seen.

References:
    | When and why vision-language models behave like bags-of-words, and what to do about it? (Yuksekgonul et al., 2023)
    | https://arxiv.org/abs/2210.01936
    | Token-aware causal representation learning (2025), its nonidentifiability of composition
    | https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from obvert.zoo.clip import ClipRecipe
from obvert.zoo.counterfactuals import NAMES, swap
from obvert.zoo.scenes import SIZES, Scene, caption, sample_mention


@dataclass(frozen=True, kw_only=True)
class CanonicalRecipe(ClipRecipe):
    """How the CLIP that need not read the order of words is made."""

    def scenes(self) -> list[Scene]:
        """The scenes of zoo/clip, each made canonical."""
        return [canonical(scene) for scene in super().scenes()]

    def tell(self, scenes: list[Scene], rng: np.random.Generator) -> list[str]:
        """A caption for each scene that begins with its first thing."""
        return [caption(scene, replace(sample_mention(rng), second_first=False)) for scene in scenes]


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
