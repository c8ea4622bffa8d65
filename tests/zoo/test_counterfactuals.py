"""Counterfactuals: one atom changes, all else stays to the last bit, and a swap undoes itself."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from obvert.zoo.counterfactuals import ATOMS, FIELDS, add, counterfactuals, fits, replace, swap
from obvert.zoo.scenes import OPPOSITE, RADII, Scene, Thing, caption, sample

seeds = st.integers(0, 2**32 - 1)


def pair(seed: int) -> Scene:
    return sample(1, seed, things=2)[0]


def changed(before: Thing, after: Thing) -> set[str]:
    return {f.name for f in dataclasses.fields(Thing) if getattr(before, f.name) != getattr(after, f.name)}


def with_things(scene: Scene, **changes: object) -> Scene:
    return dataclasses.replace(scene, things=tuple(dataclasses.replace(thing, **changes) for thing in scene.things))


@pytest.mark.parametrize("atom", FIELDS)
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])  # few sizes can be swapped in place
@given(seed=seeds)
def test_a_swap_exchanges_one_atom_and_undoes_itself(atom: str, seed: int) -> None:
    scene = pair(seed)
    try:
        after = swap(scene, atom)
    except ValueError:
        assume(False)
    assert swap(after, atom) == scene
    assert after.background == scene.background
    for name in (field.name for field in dataclasses.fields(Thing)):
        values = [getattr(thing, name) for thing in scene.things]
        assert [getattr(thing, name) for thing in after.things] == (values[::-1] if name in FIELDS[atom] else values)
    assert fits(after)


@given(seed=seeds)
def test_swapping_the_relation_says_the_opposite(seed: int) -> None:
    scene = with_things(pair(seed), radius=7.0)
    assert swap(scene, "relation").relation == OPPOSITE[scene.relation]


def test_attribute_is_colour() -> None:
    scene = next(scene for scene in sample(20, 0, things=2) if scene.things[0].colour != scene.things[1].colour)
    assert swap(scene, "attribute") == swap(scene, "colour")


@pytest.mark.parametrize("atom", ["object", "colour", "size", "texture"])
def test_nothing_to_swap_is_refused(atom: str) -> None:
    name = FIELDS[atom][0]
    scene = pair(0)
    with pytest.raises(ValueError, match=f"differ in their {atom}"):
        swap(with_things(scene, **{name: getattr(scene.things[0], name)}), atom)


@pytest.mark.parametrize("atom", ["size", "relation"])
def test_a_swap_out_of_the_picture_is_refused(atom: str) -> None:
    first, second = pair(0).things
    first = dataclasses.replace(first, size="small", radius=7.0, x=8.0, y=32.0)
    second = dataclasses.replace(second, size="large", radius=14.0, x=45.0, y=32.0)
    with pytest.raises(ValueError, match="leave the picture"):
        swap(dataclasses.replace(pair(0), things=(first, second)), atom)


@pytest.mark.parametrize("atom", ["object", "attribute", "texture"])
@given(seed=seeds)
def test_a_replacement_changes_one_name_of_one_thing(atom: str, seed: int) -> None:
    (scene,) = sample(1, seed)
    after = replace(scene, atom, np.random.default_rng(seed))
    assert after == replace(scene, atom, np.random.default_rng(seed))
    assert after.background == scene.background
    moves = [changed(*things) for things in zip(scene.things, after.things, strict=True)]
    assert sorted(map(sorted, moves)) == [[]] * (len(moves) - 1) + [[FIELDS[atom][0]]]
    assert len({(thing.shape, thing.colour) for thing in after.things}) == len(after.things)


@given(seed=seeds)
def test_another_size_keeps_its_place_in_the_range(seed: int) -> None:
    (scene,) = sample(1, seed)
    try:
        after = replace(scene, "size", np.random.default_rng(seed))
    except ValueError:
        assume(False)
    ((old, new),) = [both for both in zip(scene.things, after.things, strict=True) if both[0] != both[1]]
    assert changed(old, new) == {"size", "radius"}
    place, now = ((t.radius - RADII[t.size][0]) / np.ptp(RADII[t.size]) for t in (old, new))
    assert now == pytest.approx(place)
    assert fits(after)


def test_a_size_that_cannot_grow_is_refused() -> None:
    (scene,) = sample(1, 0, things=1)
    with pytest.raises(ValueError, match="replacing the size"):
        replace(with_things(scene, size="small", radius=8.0, x=9.0, y=9.0), "size", np.random.default_rng(0))


@given(seed=seeds)
def test_another_relation_moves_both_things_and_changes_nothing_else(seed: int) -> None:
    scene = pair(seed)
    afters = [replace(scene, "relation", np.random.default_rng(i)) for i in range(24)]
    assert {after.relation for after in afters} == set(OPPOSITE) - {scene.relation}
    for after in afters:
        assert fits(after)
        assert after.background == scene.background
        assert all(changed(*things) <= {"x", "y"} for things in zip(scene.things, after.things, strict=True))


@given(seed=seeds)
def test_an_added_thing_finds_room_beside_the_old_one(seed: int) -> None:
    (scene,) = sample(1, seed, things=1)
    corner = dict.fromkeys(("x", "y"), scene.things[0].radius + 2)  # a large thing in the middle leaves no room
    scene = dataclasses.replace(scene, things=(dataclasses.replace(scene.things[0], **corner),))
    after = add(scene, np.random.default_rng(seed))
    assert after == add(scene, np.random.default_rng(seed))
    assert after.things[:1] == scene.things
    assert len(after.things) == 2
    assert after.background == scene.background
    assert fits(after)


def test_adding_without_room_is_refused() -> None:
    (scene,) = sample(1, 0, things=1)
    with pytest.raises(ValueError, match="none found in 50 tries"):
        add(with_things(scene, x=32.0, y=32.0, radius=30.0), np.random.default_rng(0), tries=50)


def test_what_needs_another_number_of_things_is_refused() -> None:
    (one,), two, rng = sample(1, 0, things=1), pair(0), np.random.default_rng(0)
    for atom in ATOMS:
        with pytest.raises(ValueError, match="two things"):
            swap(one, atom)
    with pytest.raises(ValueError, match="two things"):
        replace(one, "relation", rng)
    with pytest.raises(ValueError, match="one thing"):
        add(two, rng)
    for scene in (one, two):
        with pytest.raises(ValueError, match="must be one of object"):
            replace(scene, "weight", rng)


@given(seed=seeds)
def test_all_counterfactuals_have_other_captions(seed: int) -> None:
    (scene,) = sample(1, seed)
    made = counterfactuals(scene, np.random.default_rng(seed))
    assert made == counterfactuals(scene, np.random.default_rng(seed))
    kinds = [(one.operator, one.atom) for one in made]
    assert len(set(kinds)) == len(kinds)
    assert {("replace", "object"), ("replace", "colour"), ("replace", "texture")} <= set(kinds)
    assert ("add", "object") not in kinds or len(scene.things) == 1
    assert (("replace", "relation") in kinds) == (len(scene.things) == 2)
    for one in made:
        assert one.before == scene
        assert one.captions == (caption(scene), caption(one.after))
        assert one.captions[0] != one.captions[1]
