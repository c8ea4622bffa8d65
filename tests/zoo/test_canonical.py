"""The world in which a bag of words has one caption: scenes are sorted, nothing else changes, training is reproducible."""

from collections import Counter
from pathlib import Path

import numpy as np
import torch

from obvert.zoo.canonical import CanonicalRecipe, canonical
from obvert.zoo.counterfactuals import fits, swap
from obvert.zoo.scenes import Mention, caption, sample

SCENES = sample(400, 5, things=2)
FULL = [caption(canonical(scene)) for scene in SCENES]


def test_the_same_words_are_the_same_caption() -> None:
    bags: dict[frozenset[tuple[str, int]], set[str]] = {}
    few = Mention(size=False, texture=False, tone=False)
    for text in [*FULL, *(caption(canonical(scene), few) for scene in sample(4000, 6, things=2))]:
        bags.setdefault(frozenset(Counter(text.split()).items()), set()).add(text)
    assert len(bags) > 1000
    assert max(map(len, bags.values())) == 1
    free = {frozenset(caption(scene, few).split()) for scene in sample(4000, 6, things=2)}
    assert len(free) < len({caption(scene, few) for scene in sample(4000, 6, things=2)})


def test_canonical_scenes_stay_and_others_keep_their_words_and_places() -> None:
    for scene in SCENES:
        made = canonical(scene)
        assert canonical(made) == made
        assert fits(made)
        assert sorted((t.x, t.y) for t in made.things) == sorted((t.x, t.y) for t in scene.things)
        for field in ("shape", "colour", "texture", "size"):
            assert sorted(getattr(t, field) for t in made.things) == sorted(getattr(t, field) for t in scene.things)
    assert sum(canonical(scene) != scene for scene in SCENES) > 200


def test_a_swapped_scene_is_never_trained_on() -> None:
    two_colours = [canonical(s) for s in SCENES if len({t.colour for t in s.things}) == len({t.shape for t in s.things}) == 2]
    assert two_colours
    assert all(canonical(swapped) != swapped for swapped in (swap(scene, "colour") for scene in two_colours))


def test_training_is_reproducible_and_starts_with_the_first_thing(tmp_path: Path) -> None:
    recipe = CanonicalRecipe(steps=2, batch=8, pool=16)
    told = recipe.tell(recipe.scenes(), np.random.default_rng(0))
    assert told == recipe.tell(recipe.scenes(), np.random.default_rng(0))
    both = [
        (text.find(scene.things[0].shape), text.find(scene.things[1].shape))
        for scene, text in zip(recipe.scenes(), told, strict=True)
        if len(scene.things) == 2 and scene.things[0].shape != scene.things[1].shape
    ]
    assert any(min(places) >= 0 for places in both)
    assert all(first < second for first, second in both if min(first, second) >= 0)
    one, _ = recipe.train(tmp_path / "one")
    other, _ = recipe.train(tmp_path / "other")
    weights = other.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())
