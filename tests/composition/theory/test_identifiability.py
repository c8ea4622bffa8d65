"""R^2 of maps that are known and of noise; a training that begins to find the content."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from obvert.composition.theory import identifiability
from obvert.composition.theory.identifiability import BLOCKS, OF_CONTENT, experiment, kernel, linear, r_squared
from obvert.composition.theory.scm import scm
from obvert.composition.theory.training import EVERY, Encoder, train
from obvert.core import ObvertError


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def test_r_squared_by_hand() -> None:
    true = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    assert r_squared(true, true) == 1
    assert r_squared(true.mean(0).expand(2, 2), true) == 0
    assert r_squared(torch.tensor([[0.0, 1.0], [2.0, 5.0]]), true) == pytest.approx((1 + 1 - 4 / 2) / 2)


def test_a_linear_map_is_found_by_both_and_noise_by_neither() -> None:
    x, noise = drawn(1200, 3), drawn(1200, 2, seed=1)
    targets = {"linear": x @ drawn(3, 2, seed=2) + 5, "noise": noise, "half": x[:, :2] + noise}
    for regress, least in ((linear, 1 - 1e-9), (kernel, 0.98)):
        found = regress(x, targets)
        assert found["linear"] >= least
        assert abs(found["noise"]) < 0.02
        assert found["half"] == pytest.approx(0.5, abs=0.08)


def test_a_bent_map_is_found_by_the_kernel_alone() -> None:
    x = drawn(1200, 2)
    target = {"bent": (2 * x).cos()}
    assert linear(x, target)["bent"] < 0.05
    assert kernel(x, target)["bent"] > 0.95


def test_scale_and_place_of_the_features_do_not_matter() -> None:
    x = drawn(400, 2)
    target = {"y": x.square()}
    assert kernel(100 * x + 7, target)["y"] == pytest.approx(kernel(x, target)["y"], abs=1e-9)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ObvertError, match="8 rows or more"):
        linear(drawn(7, 2), {"y": drawn(7, 1)})


def test_a_short_training_shows_its_progress_and_drops_style(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identifiability, "ROWS", 1800)
    told: list[tuple[int, int, float]] = []
    found = experiment(scm("sentence"), steps=150, progress=lambda *now: told.append(now))
    assert [(step, steps) for step, steps, _ in told] == [(k, 150) for k in range(EVERY, 151, EVERY)]
    assert told[-1][2] < told[0][2] - 0.2
    hows, blocks = ("linear", "kernel", "theory"), (*BLOCKS, *OF_CONTENT)
    assert set(found) == {f"{side}/{block}/{how}" for side in ("image", "text") for block in blocks for how in hows}
    assert found["text/z_inv/kernel"] > 0.5
    assert found["text/independent style/kernel"] < 0.2 < found["text/dependent style/theory"] < 1


def test_a_seed_is_a_training() -> None:
    def weights(seed: int) -> Tensor:
        one, other = Encoder((2, 4, 3), 0), Encoder((2, 4, 3), 1)
        x = drawn(64, 2).float()
        train(one, other, lambda g: (x[torch.randperm(64, generator=g)[:8]],) * 2, steps=3, temperature=0.2, seed=seed, lr=1e-3)
        return one.layers[0].weight.detach()

    before = torch.random.get_rng_state()
    assert weights(0).equal(weights(0))
    assert not weights(0).equal(weights(1))
    assert before.equal(torch.random.get_rng_state())


def test_features_have_length_one() -> None:
    torch.testing.assert_close(Encoder((3, 5, 4), 0)(torch.randn(6, 3)).norm(dim=1), torch.ones(6))


@pytest.mark.slow
def test_the_content_is_identified() -> None:
    found = experiment(scm("sentence"), seed=0)
    assert found["image/z_inv/kernel"] > 0.98
    assert found["text/z_inv/kernel"] > 0.88
    assert found["image/independent style/kernel"] < 0.05
    assert abs(found["image/dependent style/kernel"] - found["image/dependent style/theory"]) < 0.05
