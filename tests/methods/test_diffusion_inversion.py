"""Diffusion inversion on networks that are linear, so that the exact noise is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import obvert
from obvert.core import Autoencoder, Card, Diffusion, Schedule, Status
from obvert.core.diffusion import draw_noise, sample
from obvert.solvers import Anderson, ForwardStep

SHAPE = (2, 2, 2)
DRAW = torch.Generator().manual_seed(0)
TURN = torch.linalg.qr(torch.randn(8, 8, generator=DRAW))[0]
SPECTRUM = torch.linspace(-0.7, 0.9, 8)
CAPTIONS = ["red", "a circle", ""]
STEPS = 12
EXACT = ForwardStep(step_size=1.0)


def toy(prediction: str = "epsilon", slope: float = 1.0) -> Diffusion:
    """out = slope (1 + caption / 10) (1 + time / 2) W z + caption: W has a known spectrum, a caption is its length / 10."""
    matrix = (slope * TURN @ torch.diag(SPECTRUM) @ TURN.T).double()

    def schedule(steps: int) -> Schedule:
        s = torch.linspace(0.98, 0, steps + 1, dtype=torch.float64)
        return Schedule(times=s[:-1].float(), signal=1 - s if prediction == "flow" else (1 - s * s).sqrt(), noise=s)

    def predict(z: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        gain = (1 + condition / 10) * (1 + times / 2)
        return (gain[:, None] * (z.flatten(1) @ matrix.T.to(z)) + condition[:, None]).view_as(z)

    return Diffusion(
        card=Card(name="toy", family="functions"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        autoencoder=Autoencoder.from_functions(lambda x: x, lambda z: z),
        shape=SHAPE,
        prediction=prediction,  # type: ignore[arg-type]
        embed=lambda captions: torch.tensor([len(caption) / 10 for caption in captions]),
        predict=predict,
        schedule=schedule,
        parameters=lambda: {"matrix": matrix},
    )


def drawn(model: Diffusion, guidance: float = 1.0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    noise = draw_noise(SHAPE, 3, 7).to(dtype)
    return noise, sample(model, CAPTIONS, steps=STEPS, guidance=guidance, noise=noise)


def off(x: Tensor, wanted: Tensor) -> Tensor:
    return (x - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)


@pytest.mark.parametrize("guidance", [1.0, 1.5])
@pytest.mark.parametrize("prediction", ["epsilon", "velocity", "flow"])
def test_backward_euler_finds_the_noise_and_the_naive_inversion_does_not(prediction: str, guidance: float) -> None:
    model = toy(prediction)
    noise, latents = drawn(model, guidance, torch.float64)
    method = obvert.DiffusionInversion(steps=STEPS, guidance=guidance, iterations=200, solver=EXACT, tol=1e-24)
    found = method(model, latents, CAPTIONS)
    assert found.x.dtype == torch.float64
    assert (off(found.x, noise) < 1e-8).all()
    assert (found.error < 1e-20).all()
    assert (found.status == Status.CONVERGED).all()
    single = replace(method, tol=3e-13)(model, latents.float(), CAPTIONS)
    assert single.x.dtype == torch.float32
    assert (off(single.x, noise) < 1e-4).all()
    assert (single.status == Status.CONVERGED).all()
    naive = obvert.DiffusionInversion(steps=STEPS, guidance=guidance)(model, latents, CAPTIONS)
    assert (off(naive.x, noise) > 1e-2).all()
    assert (naive.steps == STEPS).all()
    torch.testing.assert_close(naive.features, sample(model, CAPTIONS, steps=STEPS, guidance=guidance, noise=naive.x))
    torch.testing.assert_close(naive.error, off(naive.features, latents).square())


@pytest.mark.parametrize("prediction", ["epsilon", "velocity", "flow"])
def test_one_step_is_the_linear_system(prediction: str) -> None:
    model, target = toy(prediction), torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    walk, output = model.schedule(1), model.prompted(CAPTIONS)
    basis = torch.eye(8).view(8, 1, *SHAPE).expand(8, 3, *SHAPE)

    def step(z: Tensor) -> Tensor:
        x, n = model.clean_and_noise(z, output(z, walk.times[0]), walk.signal[0], walk.noise[0])
        return (walk.signal[1].float() * x + walk.noise[1].float() * n).flatten(1).double()

    zero = step(torch.zeros(3, *SHAPE))
    matrix = torch.stack([step(e) - zero for e in basis], dim=2)
    exact = torch.linalg.solve(matrix, (target.flatten(1).double() - zero)[:, :, None])[:, :, 0]
    whole = Anderson(damping=0.5, ridge=1e-6, memory=8)  # as many as there are unknowns
    found = obvert.DiffusionInversion(steps=1, iterations=300, solver=whole, tol=1e-15)
    assert (off(found(model, target, CAPTIONS).x.flatten(1).double(), exact) < 1e-4).all()


def test_anderson_needs_fewer_evaluations() -> None:
    model = toy()
    _, latents = drawn(model)
    plain = obvert.DiffusionInversion(steps=STEPS, iterations=60, solver=EXACT)(model, latents, CAPTIONS)
    fast = obvert.DiffusionInversion(steps=STEPS, iterations=60, solver=Anderson(damping=1.0, ridge=1e-6))(
        model, latents, CAPTIONS
    )
    assert (fast.status == Status.CONVERGED).all()
    assert (fast.steps < plain.steps).all()


@pytest.mark.parametrize("solver", [None, EXACT, Anderson(damping=1.0)])
def test_a_batch_equals_its_samples_and_weights_stay(solver: Any) -> None:
    model = toy("velocity")
    before = model.parameters()["matrix"].clone()
    _, latents = drawn(model, 2.0)
    method = obvert.DiffusionInversion(steps=STEPS, guidance=2.0, solver=solver, batch=2)
    told: list[tuple[int, int]] = []
    together = method(model, latents, CAPTIONS, seed=4, progress=lambda done, total, error: told.append((done, total)))
    for i in range(3):
        alone = method(model, latents[i : i + 1], CAPTIONS[i : i + 1])
        torch.testing.assert_close(alone.x[0], together.x[i], rtol=1e-4, atol=1e-5)
        assert abs(int(alone.steps[0]) - int(together.steps[i])) <= 2
    assert torch.equal(model.parameters()["matrix"], before)
    assert together.trace.shape == (STEPS, 3)
    assert told[-1] == (2 * STEPS, 2 * STEPS)
    assert together.seed == 4


def test_what_diverges_says_so_and_stays_finite() -> None:
    model = toy(slope=60.0)
    target = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    found = obvert.DiffusionInversion(steps=3, solver=EXACT, iterations=4)(model, target)
    assert (found.status == Status.STEPS).all()
    assert found.x.isfinite().all()
    assert (found.trace.amax(0) > 1e-2).all()
    broken = obvert.DiffusionInversion(steps=3, solver=EXACT, iterations=4)(toy(slope=float("inf")), target)
    assert (broken.status == Status.NON_FINITE).all()
    assert broken.x.isfinite().all()
    naive = obvert.DiffusionInversion(steps=3)(toy(slope=float("inf")), target)
    assert (naive.status == Status.NON_FINITE).all()


def test_saved_and_opened_it_is_the_same(tmp_path: Path) -> None:
    model = toy()
    _, latents = drawn(model)
    found = obvert.DiffusionInversion(steps=STEPS, solver=Anderson())(model, latents, CAPTIONS)
    again = obvert.open(obvert.save(found, tmp_path / "run"))
    assert torch.equal(again.x, found.x)
    assert again.settings == found.settings
    assert again.settings["solver"]["name"] == "Anderson"
    assert again.settings["captions"] == CAPTIONS


def test_bad_input_is_one_line() -> None:
    method, model = obvert.DiffusionInversion(steps=2), toy()
    with pytest.raises(obvert.ObvertError, match=r"need finite latents \(B, 2, 2, 2\), got \(1, 2, 2, 3\)"):
        method(model, torch.zeros(1, 2, 2, 3))
    with pytest.raises(obvert.ObvertError, match="finite"):
        method(model, torch.full((1, *SHAPE), torch.nan))
    with pytest.raises(obvert.ObvertError, match="a caption for each of 2 latents, got 1"):
        method(model, torch.zeros(2, *SHAPE), ["red"])
    with pytest.raises(ValueError, match="need steps, iterations and batch"):
        obvert.DiffusionInversion(steps=0)
    assert method(model, torch.zeros(0, *SHAPE)).x.shape == (0, *SHAPE)
