"""Editing by words, on a model that paints a caption's colour over what the noise says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import obvert
from obvert.core import Autoencoder, Card, Diffusion, Schedule
from obvert.methods.diffusion_inversion import DiffusionInversion
from obvert.tasks.edit import edit

SHAPE = (3, 4, 4)
PAINT = {"red": torch.tensor([1.0, 0.0, 0.0]), "blue": torch.tensor([0.0, 0.0, 1.0]), "": torch.zeros(3)}
PICTURES = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3
MASKS = torch.zeros(3, 1, 8, 8)
MASKS[:2, :, 2:6, :4] = 1
MASKS[2] = 1


def shrink(x: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(x, 2) * 2 - 1


def grow(z: Tensor) -> Tensor:
    return ((z + 1) / 2).repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.fixture
def model() -> Diffusion:
    def schedule(steps: int) -> Schedule:
        s = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        return Schedule(times=s[:-1].float(), signal=1 - s, noise=s)

    def predict(z: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        return 0.3 * z.roll(1, 3) - condition[:, :, None, None]

    return Diffusion(
        card=Card(name="toy", family="functions"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        autoencoder=Autoencoder.from_functions(shrink, grow),
        shape=SHAPE,
        prediction="flow",
        embed=lambda captions: torch.stack([PAINT[caption] for caption in captions]),
        predict=predict,
        schedule=schedule,
    )


SOURCE, TARGET = ["red"] * 3, ["blue"] * 3


def test_the_colour_changes_and_the_rest_comes_back(model: Diffusion) -> None:
    found = edit(model, PICTURES, SOURCE, TARGET, masks=MASKS, guidance=1.0, method=None)
    for row in found.rows:
        assert row["reconstruction"] == pytest.approx(row["autoencoder"], rel=1e-3)
        assert row["latents"] < 1e-8
        assert (row["source"], row["target"]) == ("red", "blue")
    change = (found.pictures - found.reconstructed).mean((0, 2, 3))
    assert change[2] > 0.1
    assert change[0] < -0.1
    assert found.rows[0]["untouched"] > 10 * found.rows[0]["autoencoder"]
    assert found.rows[2]["untouched"] is None


def test_the_background_is_kept_where_it_is_asked_for(model: Diffusion) -> None:
    found = edit(model, PICTURES, SOURCE, TARGET, masks=MASKS, keep_background=True, guidance=1.0)
    plain = model.autoencoder.decode(model.autoencoder.encode(PICTURES))
    outside = (MASKS[:2] == 0).expand(2, 3, 8, 8)
    torch.testing.assert_close(found.pictures[:2][outside], plain[:2][outside])
    inside = (MASKS[:2] == 1).expand(2, 3, 8, 8)
    assert (found.pictures - plain)[:2][inside].abs().mean() > 0.1


def test_naive_inversion_comes_back_less_exactly_and_a_batch_equals_its_samples(model: Diffusion) -> None:
    naive = edit(model, PICTURES, SOURCE, TARGET, method=DiffusionInversion(steps=10, batch=2))
    assert all(row["latents"] > 1e-6 for row in naive.rows)
    assert all(row["untouched"] is None and row["steps"] == 10 for row in naive.rows)
    alone = edit(model, PICTURES[2:], SOURCE[2:], TARGET[2:], method=DiffusionInversion(steps=10))
    torch.testing.assert_close(alone.pictures, naive.pictures[2:], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"target_captions": ["blue"]}, "two captions for each of 3 pictures, got 3 and 1"),
        ({"masks": torch.zeros(3, 8, 8)}, "need masks of shape"),
        ({"keep_background": True}, "need masks to keep"),
    ],
)
def test_what_does_not_fit_is_refused(model: Diffusion, changed: dict[str, Any], message: str) -> None:
    asked: dict[str, Any] = {"source_captions": SOURCE, "target_captions": TARGET} | changed
    with pytest.raises(obvert.ObvertError, match=message):
        edit(model, PICTURES, **asked)


def test_what_does_not_fit_in_memory_is_drawn_by_fewer(model: Diffusion) -> None:
    def scarce(z: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        if len(z) > 2:  # guidance asks twice
            raise torch.OutOfMemoryError("no")
        return model.predict(z, times, condition)

    with pytest.warns(UserWarning, match=r"out of memory; going on with [12] ") as said:
        found = edit(replace(model, predict=scarce), PICTURES, SOURCE, TARGET, method=DiffusionInversion(steps=4, batch=4))
    assert any("pictures" in str(warning.message) for warning in said)
    plain = edit(model, PICTURES, SOURCE, TARGET, method=DiffusionInversion(steps=4))
    torch.testing.assert_close(found.pictures, plain.pictures)
    torch.testing.assert_close(found.inversion.x, plain.inversion.x)


def test_guidance_that_is_no_number_is_refused(model: Diffusion) -> None:
    with pytest.raises(obvert.ObvertError, match="need a finite guidance, got nan"):
        edit(model, PICTURES, SOURCE, TARGET, guidance=float("nan"))
