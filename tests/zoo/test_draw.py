"""Drawing: the right colours in the right places, and nothing that depends on the company a scene keeps."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from obvert.zoo.counterfactuals import counterfactuals
from obvert.zoo.draw import RGB, draw
from obvert.zoo.scenes import COLOURS, SHAPES, SIDE, TEXTURES, Background, Scene, Thing, sample

BLACK = Background(tone="dark", near=(0, 0, 0), far=(0, 0, 0), direction=0.0, wave=(0.0, 0.0, 0.0), noise=0.0, noise_seed=0)


def single(**changes: object) -> Scene:
    """A plain, upright, untinted thing in the middle of a black picture without noise."""
    thing = Thing(
        shape="square", colour="red", size="large", texture="plain", x=32, y=32, radius=13, angle=0, tint=(0, 0, 0), phase=0
    )
    return Scene(things=(dataclasses.replace(thing, **changes),), background=BLACK)


def cover(scene: Scene) -> Tensor:
    """How much of each pixel a thing covers: (64, 64) in [0, 1]."""
    (picture,) = draw([scene])
    return picture[0] / (255 * RGB[scene.things[0].colour][0])


def test_shape_dtype_and_no_scenes() -> None:
    assert draw([]).shape == (0, 3, SIDE, SIDE)
    assert draw(sample(3, 0)).shape == (3, 3, SIDE, SIDE)
    assert draw([]).dtype == draw(sample(1, 0)).dtype == torch.uint8


@pytest.mark.parametrize("chunk", [1, 3, 7, 16, 256])
def test_a_picture_depends_on_its_scene_alone(chunk: int) -> None:
    scenes = sample(17, 1)
    together = draw(scenes)
    assert torch.equal(together, draw(scenes, chunk=chunk))
    assert torch.equal(together.flip(0), draw(scenes[::-1], chunk=chunk))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_plain_square_shows_its_colour(colour: str) -> None:
    (picture,) = draw([single(colour=colour)])
    middle = picture[:, 26:38, 26:38] / 255
    torch.testing.assert_close(middle, torch.tensor(RGB[colour]).view(3, 1, 1).expand_as(middle), rtol=0, atol=1 / 255)
    assert picture[:, :8].eq(0).all()


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_stay_the_nearest_under_tint_and_noise(colour: str) -> None:
    scenes = [
        dataclasses.replace(scene, things=(dataclasses.replace(scene.things[0], colour=colour, shape="square", texture="plain"),))
        for scene in sample(40, 2, things=1)
    ]
    names = torch.tensor([RGB[name] for name in COLOURS])
    nearest = []
    for picture, scene in zip(draw(scenes), scenes, strict=True):
        row, column = int(scene.things[0].y), int(scene.things[0].x)
        seen = picture[:, row - 3 : row + 3, column - 3 : column + 3].float().mean((1, 2)) / 255
        nearest.append(COLOURS[int((names - seen).norm(dim=1).argmin())])
    assert nearest.count(colour) >= 0.9 * len(nearest)


@pytest.mark.parametrize("radius", [7.0, 9.0, 11.5, 14.0])
def test_areas_of_circle_square_and_ring(radius: float) -> None:
    areas = {name: float(cover(single(shape=name, radius=radius)).sum()) / radius**2 for name in ("circle", "square", "ring")}
    truth = {"circle": math.pi * 0.92**2, "square": 1.6**2, "ring": math.pi * (0.92**2 - 0.48**2)}
    assert areas == pytest.approx(truth, rel=0.03)


def test_no_two_shapes_cover_the_same() -> None:
    covers = {shape: cover(single(shape=shape)) for shape in SHAPES}
    for one, other in itertools.combinations(SHAPES, 2):
        both, either = torch.minimum(covers[one], covers[other]).sum(), torch.maximum(covers[one], covers[other]).sum()
        assert both < 0.9 * either, (one, other)


def test_no_two_textures_look_the_same() -> None:
    pictures = draw([single(texture=texture) for texture in TEXTURES]).float()
    for one, other in itertools.combinations(pictures, 2):
        assert (one - other).abs().amax(0).gt(50).sum() > 50


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_where_it_says(shape: str) -> None:
    centred, moved = cover(single(shape=shape)), cover(single(shape=shape, x=27, y=42))
    torch.testing.assert_close(moved, centred.roll((10, -5), (0, 1)), rtol=0, atol=2 / 255)


@pytest.mark.parametrize("shape", ["circle", "ring"])
def test_turning_what_is_round_changes_nothing(shape: str) -> None:
    torch.testing.assert_close(cover(single(shape=shape, angle=0.4)), cover(single(shape=shape)), rtol=0, atol=2 / 255)


def test_the_tone_is_how_light_the_background_is() -> None:
    scenes = sample(60, 3)
    pictures = draw([dataclasses.replace(scene, things=()) for scene in scenes]).float().mean((1, 2, 3))
    light = torch.tensor([scene.background.tone == "light" for scene in scenes])
    assert pictures[light].min() > 127 > pictures[~light].max()


def test_noise_is_read_from_its_seed_with_its_deviation() -> None:
    grey = dataclasses.replace(BLACK, near=(0.5, 0.5, 0.5), far=(0.5, 0.5, 0.5), noise=0.05)
    one, other = (Scene(things=(), background=dataclasses.replace(grey, noise_seed=seed)) for seed in (5, 2**31 - 1))
    first, same, second = draw([one, one, other]).float() / 255
    assert torch.equal(first, same)
    assert not torch.equal(first, second)
    for picture in (first, second):
        assert picture.mean() == pytest.approx(0.5, abs=0.005)
        assert picture.std() == pytest.approx(0.05, rel=0.05)


def test_a_counterfactual_changes_only_pixels_near_what_changed() -> None:
    rng = np.random.default_rng(0)
    pairs = [pair for scene in sample(12, 4) for pair in counterfactuals(scene, rng)]
    before, after = draw([pair.before for pair in pairs]), draw([pair.after for pair in pairs])
    grid = torch.arange(SIDE) + 0.5
    for pair, changed in zip(pairs, (before != after).any(1), strict=True):
        near = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        for thing in set(pair.before.things) ^ set(pair.after.things):
            near |= torch.hypot(grid[None] - thing.x, grid[:, None] - thing.y) < 1.3 * thing.radius + 1
        assert changed.any()
        assert not (changed & ~near).any()
