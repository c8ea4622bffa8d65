"""The training loop: finds a known answer, survives interruption to the last bit, refuses another model's checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from obvert.zoo.training import falling, fit

WEIGHT = torch.tensor([[1.5, -0.5, 0.25]])
BIAS = torch.tensor([0.75])


def regression() -> tuple[nn.Linear, Callable[[int], Tensor]]:
    """A linear model and its squared error on fresh data, each batch a function of the step."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss(step: int) -> Tensor:
        x = torch.randn(32, 3, generator=torch.Generator().manual_seed(step))
        # by hand, since autocast would round a matrix product to bf16
        residual = (x * (model.weight - WEIGHT)).sum(1) + (model.bias - BIAS)
        return residual.square().mean()

    return model, loss


def test_finds_the_known_answer(tmp_path: Path) -> None:
    model, loss = regression()
    minutes = fit(model, loss, steps=400, lr=0.05, folder=tmp_path, weight_decay=0.0, warmup=20)
    torch.testing.assert_close(model.weight.data, WEIGHT, rtol=0, atol=5e-3)
    torch.testing.assert_close(model.bias.data, BIAS, rtol=0, atol=1e-3)
    assert 0 < minutes < 1


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("stop", [0, 3, 4, 5, 19])
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(stop: int, average: float, tmp_path: Path) -> None:
    whole, loss = regression()
    fit(whole, loss, steps=20, lr=0.05, folder=tmp_path / "whole", every=4, warmup=5, average=average)

    broken, loss = regression()

    def stopping(step: int) -> Tensor:
        if step == stop:
            raise KeyboardInterrupt
        return loss(step)

    with pytest.raises(KeyboardInterrupt):
        fit(broken, stopping, steps=20, lr=0.05, folder=tmp_path / "broken", every=4, warmup=5, average=average)

    resumed, loss = regression()
    seen = []

    def watched(step: int) -> Tensor:
        seen.append(step)
        return loss(step)

    fit(resumed, watched, steps=20, lr=0.05, folder=tmp_path / "broken", every=4, warmup=5, average=average)
    assert seen == list(range(stop - stop % 4, 20))
    assert torch.equal(resumed.weight, whole.weight)
    assert torch.equal(resumed.bias, whole.bias)


def test_the_mean_of_the_weights_is_that_of_every_step(tmp_path: Path) -> None:
    model, loss = regression()
    seen: list[Tensor] = []  # a step's loss sees the weights that the step before left

    def watched(step: int) -> Tensor:
        seen.append(model.weight.detach().clone())
        return loss(step)

    fit(model, watched, steps=12, lr=0.05, folder=tmp_path / "mean", warmup=2, average=0.6)
    last, loss = regression()
    fit(last, loss, steps=12, lr=0.05, folder=tmp_path / "last", warmup=2)
    mean = seen[0]
    for k, weight in enumerate([*seen[1:], last.weight.detach()]):
        decay = min(0.6, (1 + k) / (10 + k))
        mean = decay * mean + (1 - decay) * weight
    torch.testing.assert_close(model.weight.detach(), mean)
    assert not torch.allclose(model.weight, last.weight, rtol=1e-3)


def test_the_rate_falls_anew_in_every_cycle(tmp_path: Path) -> None:
    assert [falling(k, 4) for k in (0, 2, 4, 6)] == pytest.approx([1, 0.51, 1, 0.51])
    assert min(falling(k, 1000) for k in range(2000)) == pytest.approx(0.02, abs=1e-4)
    one, loss = regression()
    fit(one, loss, steps=10, lr=0.05, folder=tmp_path / "one", warmup=2)
    half, loss = regression()
    seen: list[Tensor] = []

    def watched(step: int) -> Tensor:
        seen.append(half.weight.detach().clone())
        return loss(step)

    fit(half, watched, steps=20, lr=0.05, folder=tmp_path / "two", warmup=2, cycles=2)
    assert torch.equal(seen[10], one.weight)  # the first cycle is a whole training
    assert not torch.allclose(half.weight, one.weight, rtol=1e-3)


@pytest.mark.parametrize("cycles", [0, 3])
def test_cycles_that_do_not_divide_the_steps_are_refused(cycles: int, tmp_path: Path) -> None:
    model, loss = regression()
    with pytest.raises(ValueError, match="cycles that divide 4 steps"):
        fit(model, loss, steps=4, lr=0.05, folder=tmp_path, cycles=cycles)


@pytest.mark.parametrize("average", [-0.1, 1.0, float("nan")])
def test_an_average_out_of_range_is_refused(average: float, tmp_path: Path) -> None:
    model, loss = regression()
    with pytest.raises(ValueError, match=r"need average in \[0, 1\)"):
        fit(model, loss, steps=2, lr=0.05, folder=tmp_path, average=average)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_finished_training_is_loaded_and_not_repeated(average: float, tmp_path: Path) -> None:
    done, loss = regression()
    minutes = fit(done, loss, steps=6, lr=0.05, folder=tmp_path, average=average)
    again, _ = regression()

    def never(step: int) -> Tensor:
        raise AssertionError(f"step {step} was run again")

    assert fit(again, never, steps=6, lr=0.05, folder=tmp_path, average=average) == pytest.approx(minutes, abs=0.01)
    assert torch.equal(again.weight, done.weight)


def test_nothing_half_written_remains(tmp_path: Path) -> None:
    model, loss = regression()
    fit(model, loss, steps=6, lr=0.05, folder=tmp_path / "new" / "folder", every=2)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["checkpoint.safetensors"]


def test_the_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    model, loss = regression()
    fit(model, loss, steps=2, lr=0.05, folder=tmp_path)
    other = nn.Sequential(nn.Linear(3, 1))
    before = other[0].weight.clone()
    with pytest.raises(ValueError, match="another model"):
        fit(other, lambda step: other(torch.ones(1, 3)).sum(), steps=2, lr=0.05, folder=tmp_path)
    assert torch.equal(other[0].weight, before)


def test_frozen_parameters_stay_and_progress_is_reported(tmp_path: Path) -> None:
    model, loss = regression()
    model.bias.requires_grad_(False)
    before, told = model.bias.clone(), []
    fit(model, loss, steps=25, lr=0.05, folder=tmp_path, warmup=2, report=lambda *news: told.append(news))
    assert torch.equal(model.bias, before)
    assert [(step, steps) for step, steps, _ in told] == [(1, 25), (11, 25), (21, 25), (25, 25)]
    assert told[-1][2] < told[0][2]


@pytest.mark.parametrize(
    "other",
    [{"steps": 3}, {"lr": 0.06}, {"weight_decay": 0.1}, {"warmup": 5}, {"average": 0.5}, {"cycles": 2}, {"recipe": "other data"}],
)
def test_the_checkpoint_of_another_recipe_is_refused(other: dict, tmp_path: Path) -> None:
    usual = {"steps": 2, "lr": 0.05, "recipe": "data"}
    model, loss = regression()
    fit(model, loss, folder=tmp_path, **usual)
    with pytest.raises(ValueError, match=r"another model or recipe; give another folder or remove it"):
        fit(model, loss, folder=tmp_path, **usual | other)
