"""What every model family owes: features, OTI and OVI equal to the straightforward reference, steps of AdamW included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import slow
import tiny
import tiny_readers
import tiny_vlms
import tiny_writers
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

import obvert
from obvert import OTI, OVI
from obvert.core import DualEncoder, ObvertError
from obvert.registry import names

STEPS = 6


@pytest.fixture(scope="module", params=slow.FAMILIES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, slow.Slow]:
    if request.param in ("open-clip", "slip"):
        pytest.importorskip("open_clip", reason="needs the extra openclip", exc_type=ImportError)
    truth = slow.FAMILIES[request.param](tmp_path_factory.mktemp(request.param.replace(" ", "-")))
    return obvert.load(truth.name, device="cpu"), truth


def test_every_family_is_here() -> None:
    contracts = (slow.FAMILIES, tiny_readers.FAMILIES, tiny_vlms.FAMILIES, tiny_writers.FAMILIES)
    found = {name.replace(":", " ").split()[0] for families in contracts for name in families}
    assert sorted([*found, "autoencoder", "chatterbox"]) == names("models")


@pytest.mark.parametrize("count", [1, 3])
def test_maps_equal_the_reference(pair: tuple[Any, slow.Slow], count: int) -> None:
    model, truth = pair
    for fast, through in ((model.text_from_tokens(count), truth.text), (model.image_from_patches(count), truth.image)):
        x = tiny.draw(3, *fast.shape).float().requires_grad_()
        ours, theirs = fast(x), through(x)
        torch.testing.assert_close(normalize(ours), normalize(theirs), rtol=0, atol=1e-5)
        grads = [
            torch.autograd.grad(normalize(y).square().matmul(torch.arange(y.shape[1]).float()).sum(), x)[0]
            for y in (ours, theirs)
        ]
        torch.testing.assert_close(*grads, rtol=1e-3, atol=1e-5 * grads[1].abs().max().item())


@pytest.mark.parametrize("count", [1, 2])
def test_searches_equal_plain_adamw_through_the_reference(pair: tuple[Any, slow.Slow], count: int) -> None:
    model, truth = pair
    image, text = model.image_features(tiny.pictures()), model.text_features(tiny.TEXTS)
    for method, target, through in ((OTI(tokens=count), image, truth.text), (OVI(patches=count), text, truth.image)):
        inversion = type(method)(**{**vars(method), "steps": STEPS, "snapshots": [0]})(model, target)
        features, errors = adamw(through, inversion.solution.snapshots[0], target)
        torch.testing.assert_close(inversion.features, features, rtol=0, atol=1e-5)
        torch.testing.assert_close(inversion.solution.trace[:STEPS], errors, rtol=0, atol=1e-5)
        assert (errors[-1] < errors[0]).all()


def adamw(through: Callable[[Tensor], Tensor], start: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Features after the steps (B, d), and the error of each step and sample (steps, B): torch's AdamW, as published."""
    x = start.clone().requires_grad_()
    optimiser, errors = torch.optim.AdamW([x], lr=2e-2, weight_decay=0.01), []
    for _ in range(STEPS):
        error = 1 - cosine_similarity(through(x), target)
        optimiser.zero_grad()
        error.sum().backward()
        optimiser.step()
        errors.append(error.detach())
    with torch.no_grad():
        return normalize(through(x)), torch.stack(errors)


def test_what_a_dual_encoder_says_of_itself(pair: tuple[Any, slow.Slow]) -> None:
    model, _ = pair
    assert isinstance(model, DualEncoder)
    assert model.card.family in names("models")
    assert len(model.card.sha256) == 64
    image, text = model.image_features(tiny.pictures()), model.text_features(tiny.TEXTS)
    for features in (image, text):
        assert features.shape == (3, model.dimension)
        assert features.dtype == torch.float32
        torch.testing.assert_close(features.norm(dim=1), torch.ones(3))
    assert model.image_from_patches(model.default_patches).shape[0] == model.default_patches
    assert model.image_features([]).shape == model.text_features([]).shape == (0, model.dimension)
    alone = torch.cat([model.image_features([picture]) for picture in tiny.pictures()])
    torch.testing.assert_close(alone, image, rtol=1e-4, atol=1e-5)
    with pytest.raises(ObvertError, match="need a list of texts"):
        model.text_features("one")


def test_gradients_reach_the_pictures(pair: tuple[Any, slow.Slow]) -> None:
    model, _ = pair
    picture = tiny.pictures()[0].requires_grad_()
    (grad,) = torch.autograd.grad(normalize(model.pixels_to_features(model.preprocess([picture])))[0, 0], picture)
    assert grad.isfinite().all()
    assert (grad != 0).float().mean() > 0.5
