"""The composition world: its sentences counted, its floors against a simulation, what each encoder can and cannot tell."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from obvert.composition.theory import world as module
from obvert.composition.theory.world import CANONICAL, ENCODERS, World, experiment, measure
from obvert.core import ObvertError

BAG, ORDER = ENCODERS


def test_sentences_by_hand() -> None:
    world = World(rho=0.6, words=3, length=2)
    assert world.sequences.tolist() == [[[0, 1], [1, 0]], [[0, 2], [2, 0]], [[1, 2], [2, 1]]]
    assert world.counts.tolist() == [[1, 1, 0], [1, 0, 1], [0, 1, 1]]
    assert world.placed[0, 1].tolist() == [0, 1, 0, 1, 0, 0]
    torch.testing.assert_close(world.shares, torch.tensor([[0.7, 0.3]] * 3, dtype=torch.float64) / 3)
    assert world.swaps.tolist() == [1]


def test_sizes_and_swaps() -> None:
    world = World(rho=0.5)
    assert world.sequences.shape == (math.comb(8, 3), 6, 3)
    assert world.shares.sum() == pytest.approx(1)
    assert len(world.swaps) == 3
    assert all((world.sequences[0, k] != world.sequences[0, 0]).sum() == 2 for k in world.swaps)


def test_canonical_data_give_both_encoders_one_floor() -> None:
    floors = World(rho=0).floors
    assert floors[BAG] == floors[ORDER]


@pytest.mark.parametrize("rho", [0.3, 1.0])
def test_floors_against_a_simulation(rho: float) -> None:
    world = World(rho=rho, words=4, length=2, batch=16)
    drawn = world.draw(16 * 20_000, Generator().manual_seed(0)).view(20_000, 16)
    for name, classes in ((BAG, drawn // 2), (ORDER, drawn)):
        same = (classes[:, :, None] == classes[:, None, :]).sum(2)
        assert same.double().log().mean().item() == pytest.approx(world.floors[name], abs=0.005)
    bag, order = ((c[:, :, None] == c[:, None, :]).sum(2).double() for c in (drawn // 2, drawn))
    assert (bag / order).log().mean().item() == pytest.approx(world.floors[BAG] - world.floors[ORDER], abs=0.01)


class Table(torch.nn.Module):
    """Pictures without noise to features by table: what a perfect encoder would do."""

    def __init__(self, world: World, features: Tensor) -> None:
        super().__init__()
        self.world, self.features = world, features

    def forward(self, x: Tensor) -> Tensor:
        shown = self.world.mixing.inverse(x).round()
        return self.features[(shown @ self.world.placed.flatten(0, 1).T).argmax(1)]


def test_perfect_encoders_come_to_their_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCHES", 3000)
    world = World(rho=0.5, words=4, length=2, batch=16, noise=0)
    each = torch.eye(12)
    found = measure(world, Table(world, each), each.view(6, 2, 12), 0)  # type: ignore[arg-type]
    assert found["loss"].item() == pytest.approx(world.floors[ORDER], abs=0.01)
    assert (found["swap"], found["group"], found["apart"]) == (1, 1, 1)
    bags = torch.eye(6).repeat_interleave(2, 0)
    found = measure(world, Table(world, bags), bags.view(6, 2, 6), 0)  # type: ignore[arg-type]
    assert found["loss"].item() == pytest.approx(world.floors[BAG], abs=0.01)
    assert (found["swap"], found["apart"]) == (0.5, 0)
    assert found["group"] == pytest.approx(1 / 6)


def test_a_text_blind_encoder_never_wins_two_by_two_where_pictures_differ() -> None:
    world = World(rho=1, words=4, length=2, noise=0)
    pictures = normalize(torch.randn(12, 8, generator=Generator().manual_seed(0)), dim=1)
    texts = normalize(torch.randn(6, 1, 8, generator=Generator().manual_seed(1)), dim=2).expand(6, 2, 8)
    found = measure(world, Table(world, pictures), texts, 0)  # type: ignore[arg-type]
    assert (found["swap"], found["group"]) == (0.5, 0)


def test_without_free_arrangements_the_pseudo_optimal_encoder_has_the_very_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCHES", 20)
    told: list[int] = []
    found = experiment(World(rho=0, words=5, length=2), steps=150, progress=lambda step, steps, loss: told.append(step))
    assert found[f"{CANONICAL}/loss"] == found[f"{ORDER}/loss"]
    assert found[f"{CANONICAL}/swap"] == found[f"{BAG}/swap"] == 0.5
    assert found[f"{ORDER}/swap"] > 0.9
    assert told[-1] == 150
    free = experiment(World(rho=1, words=5, length=2), steps=150)
    assert free[f"{CANONICAL}/loss"] > free[f"{ORDER}/loss"] + 0.5
    assert free[f"{ORDER}/loss"] < free[f"{BAG}/loss"]
    assert free[f"{ORDER}/group"] > 0.9


@pytest.mark.parametrize("wrong", [{"rho": 1.5}, {"rho": 0.5, "length": 1}, {"rho": 0.5, "words": 2}, {"rho": 0, "batch": 1}])
def test_worlds_that_say_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ObvertError, match="need rho in"):
        World(**wrong)  # type: ignore[arg-type]
