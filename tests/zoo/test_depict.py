"""Scenes of a caption show what it tells of, and differ in the rest."""

from __future__ import annotations

import pytest

from obvert.core import ObvertError
from obvert.zoo.depict import depict
from obvert.zoo.questions import plain


@pytest.mark.parametrize("text", ["a red circle", "an orange star left of a blue ring", "a pink moon above a pink heart"])
def test_scenes_are_as_told(text: str) -> None:
    scenes = depict(text, 6, seed=2)
    assert {plain(scene) for scene in scenes} == {text}
    assert len({scene.things[0].x for scene in scenes}) == 6
    assert depict(text, 2, seed=2) == scenes[:2]
    assert depict(text, 2, seed=3) != scenes[:2]


def test_the_other_way_round_and_anyhow() -> None:
    assert {scene.relation for scene in depict("a red star right of a blue ring", 4, 0)} == {"right of"}
    assert {plain(scene) for scene in depict("a red star below a blue ring", 4, 0)} == {"a blue ring above a red star"}
    assert len({scene.relation for scene in depict("a red star and a blue ring", 30, 0)}) == 4


@pytest.mark.parametrize("text", ["", "a dog", "red circle", "a red circle near a blue ring", "a red circle and a red circle"])
def test_what_cannot_be_drawn_is_told(text: str) -> None:
    with pytest.raises(ObvertError, match='need a caption such as "a red star left of a blue ring"'):
        depict(text, 1, 0)
