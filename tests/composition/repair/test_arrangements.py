"""Unseen arrangements: exact, the same for ever, and closed under swaps."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from obvert.composition.repair.arrangements import unseen, unseen_layouts, unseen_pairs
from obvert.zoo.counterfactuals import ATOMS, swap
from obvert.zoo.scenes import sample


def test_how_many_are_unseen() -> None:
    assert len(unseen_pairs()) == (36 * 36 - 64) // 4 == 308
    assert len(unseen_layouts()) == 36 * 2 // 8 == 9


def test_a_swap_keeps_an_arrangement_where_it_is() -> None:
    swapped = 0
    for scene in sample(200, 1, things=2):
        for atom in ATOMS:
            with suppress(ValueError):
                assert unseen(swap(scene, atom)) == unseen(scene)
                swapped += 1
    assert swapped > 300


def test_the_rule_by_hand() -> None:
    for scene in sample(500, 2, things=2):
        one, other = scene.things
        colours, shapes = (tuple(sorted(names)) for names in ((one.colour, other.colour), (one.shape, other.shape)))
        layout = "row" if abs(one.x - other.x) > abs(one.y - other.y) else "column"
        assert unseen(scene) == ((colours, shapes) in unseen_pairs() or (shapes, layout) in unseen_layouts())


def test_a_third_of_all_scenes_of_two_things_is_unseen_and_none_of_one() -> None:
    share = np.mean([unseen(scene) for scene in sample(3000, 3, things=2)])
    assert abs(share - (1 - 3 / 4 * 7 / 8)) < 0.06
    assert not any(unseen(scene) for scene in sample(50, 4, things=1))
