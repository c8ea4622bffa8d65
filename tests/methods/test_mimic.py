"""MIMIC on the embedded vision-language model: its terms by hand, its versions, what it is told, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toys import colour_reader

import obvert
from obvert.core import ObvertError, Reader
from obvert.methods._expectations import of_pictures, of_words, patch_of
from obvert.methods.mimic import MIMIC, PRESETS
from obvert.objectives.alignment import Alignment
from obvert.objectives.feature_statistics import moments
from obvert.objectives.l2 import L2
from obvert.parametrisations.fourier import Fourier
from obvert.views.jitter import Jitter
from obvert.zoo.draw import draw
from obvert.zoo.scenes import sample

TEXTS = ["a red circle", "a blue star left of a green ring"]
every = pytest.mark.parametrize("version", PRESETS)


@pytest.fixture(scope="module")
def model() -> Reader:
    found = obvert.load("zoo/vlm", device="cpu")
    assert isinstance(found, Reader)
    return found


@pytest.fixture(scope="module")
def real() -> list[Tensor]:
    return list((draw(sample(6, 5)).float() / 255).split(3))


def digest(model: Reader) -> str:
    return hashlib.sha256(b"".join(t.numpy().tobytes() for t in model.parameters().values())).hexdigest()


def test_what_is_told_goes_before_the_version() -> None:
    told = MIMIC(version="v1", steps=7, features=0.5).settled(14)
    assert (told.steps, told.features, told.reading, told.space) == (7, 0.5, 0.005, "medium")
    assert told.solver.inner.horizon == 7  # type: ignore[union-attr]
    assert MIMIC().settled(8).version == "ours"
    assert MIMIC(version="v1").settled(8).steps == 5000
    assert told.settled(99) == told


@every
def test_the_error_falls_and_weights_stay(version: Any, model: Reader, real: list[Tensor]) -> None:
    before = digest(model)
    steps = 60 if version == "ours" else 12  # it is coarse at first
    found = MIMIC(version=version, steps=steps, views=(), snapshots=(0, steps))(model, TEXTS, real=real, seed=1)
    assert digest(model) == before
    assert found.method == "mimic"
    assert found.settings["version"] == version
    assert found.features.shape == (2, 3, 64, 64)
    assert 0 <= found.features.min() <= found.features.max() <= 1
    assert (found.trace[-5:].mean(0) < found.trace[0]).all()
    assert len(found.texts) == len(found.snapshot_texts[0]) == 2
    assert ("features" in found.solution.terms) == (version != "naive")


@every
def test_a_batch_equals_its_samples(version: Any, model: Reader, real: list[Tensor]) -> None:
    method = MIMIC(version=version, steps=2, prompts=("what do you see?", "describe the picture"))
    whole = method(model, TEXTS, real=real, seed=3)
    for alone in (
        method(model, TEXTS[1:], real=real[1:], seed=3).x[0],
        replace(method, batch=1)(model, TEXTS, real=real, seed=3).x[1],
    ):
        torch.testing.assert_close(alone, whole.x[1], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(method(model, TEXTS, real=real, seed=4).x, whole.x)


def test_the_terms_by_hand(model: Reader, real: list[Tensor]) -> None:
    layer = model.layers[2]
    method = MIMIC(version="v1", steps=0, layers=(layer,), reading=0.5, features=2.0, priors=(3.0 * L2(),))
    found = method(model, TEXTS, real=real)
    x = model.front(list(found.x))
    answer = model.answer(TEXTS)
    said = -model.log_likelihood(x, answer).sum(1) / answer.mask.sum(1)
    torch.testing.assert_close(found.solution.terms["reading"], 0.5 * said)
    with model.watch([layer]) as seen:
        model.log_likelihood(x, answer)
    own = seen[layer]
    apart = []
    for i, pictures in enumerate(real):
        with model.watch([layer]) as seen:
            model.log_likelihood(model.front(list(pictures)), model.answer(["a ring"] * 3))
        mean, variance = seen[layer].mean(1).mean(0), seen[layer].var(1, correction=0).mean(0)
        apart.append((own[i].mean(0) - mean).norm() + (own[i].var(0, correction=0) - variance).norm())
    torch.testing.assert_close(found.solution.terms["features"], 2 * torch.stack(apart))
    torch.testing.assert_close(found.solution.terms["l2"], 3 * found.x.square().flatten(1).mean(1))


def test_several_questions_count_alike(model: Reader) -> None:
    prompts = ("what do you see?", "describe the picture")
    found = MIMIC(version="naive", steps=0, prompts=prompts)(model, TEXTS)
    each = [MIMIC(version="naive", steps=0, prompts=(prompt,))(model, TEXTS).error for prompt in prompts]
    torch.testing.assert_close(found.error, torch.stack(each).mean(0))
    assert not torch.allclose(each[0], each[1])


def test_what_is_told_in_words_is_what_the_language_model_sees(model: Reader) -> None:
    wanted = of_words(model, TEXTS)
    assert tuple(wanted) == model.language_layers
    answer, layer = model.answer(TEXTS[:1]), model.language_layers[-1]
    with model.watch([layer]) as seen:
        model.told(TEXTS[0], answer)  # type: ignore[misc]
    mean, variance = moments(seen[layer][:, -answer.ids.shape[1] :])
    torch.testing.assert_close(wanted[layer][0][0], mean[0])
    torch.testing.assert_close(wanted[layer][1][0], variance[0])
    objective = Alignment(reader=model, answer=model.answer(TEXTS), targets=wanted)
    terms = objective(model.front([torch.rand(3, 64, 64)] * 2))
    assert (terms["features"] > 0).all()
    found = MIMIC(steps=8, expect=True)(model, TEXTS)
    assert (found.solution.terms["features"] > 0).all()


def test_checkpointing_changes_memory_only(model: Reader, real: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    given: Callable[[], Any] = model.checkpointed
    counted = replace(model, checkpointed=lambda: calls.append("on") or given())
    plain = MIMIC(steps=3)(counted, TEXTS, real=real)
    assert not calls
    again = MIMIC(steps=3, checkpointing=True)(counted, TEXTS, real=real)
    assert calls == ["on"]
    torch.testing.assert_close(again.x, plain.x)


def test_any_parametrisation_and_view_may_be_put_in(model: Reader) -> None:
    found = MIMIC(steps=3, parametrisation=Fourier(), views=(Jitter(),), looks=1, priors=(), features=0.0)(model, TEXTS[:1])
    assert set(found.solution.terms) == {"reading"}
    assert found.settings["parametrisation"]["name"] == "Fourier"


def test_saved_and_opened_it_is_the_same(model: Reader, real: list[Tensor], tmp_path: Path) -> None:
    found = MIMIC(steps=2)(model, TEXTS, real=real)
    again = obvert.open(obvert.save(found, tmp_path / "run"))
    assert torch.equal(again.x, found.x)
    assert again.texts == found.texts


def test_moments_that_nothing_tells_are_left_out_aloud(model: Reader) -> None:
    with pytest.warns(UserWarning, match=r"no real pictures of the concept: the layers' moments are left out \(give real"):
        found = MIMIC(steps=1)(model, TEXTS)
    assert found.settings["features"] == 0
    assert "features" not in found.solution.terms


def test_what_does_not_fit_is_told(model: Reader, real: list[Tensor]) -> None:
    with pytest.raises(ObvertError, match="need real pictures of each of the 2 concepts, got \\[3\\]"):
        MIMIC(steps=1)(model, TEXTS, real=real[:1])
    with pytest.raises(ObvertError, match="need layers of the image tower of zoo/vlm, got no-such-layer"):
        MIMIC(steps=1, layers=("no-such-layer",))(model, TEXTS, real=real)
    with pytest.raises(ObvertError, match="need layers of the image tower of zoo/vlm, got no-such-layer"):
        MIMIC(steps=1, layers=(model.layers[0], "no-such-layer"))(model, TEXTS, real=real)
    with pytest.raises(ObvertError, match="need a reader of pictures"):
        MIMIC(steps=1)(colour_reader("sound"), ["red"])
    with pytest.raises(ObvertError, match=r"need at most \d+ tokens for zoo/vlm, got"):
        MIMIC(steps=1, features=0.0)(model, ["red " * 200])
    with pytest.raises(ObvertError, match="need a language model that can be told"):
        MIMIC(steps=1, expect=True)(colour_reader(), ["red"])
    with pytest.raises(ObvertError, match="need layers of the image tower of toy, got none"):
        of_pictures(colour_reader(), [torch.rand(2, 3, 8, 8)], ["red"])
    for wrong in ({"version": "v3"}, {"divergence": "js"}, {"steps": -1}, {"reading": 0.0, "features": 0.0}, {"features": -1.0}):
        with pytest.raises(ValueError, match="need"):
            MIMIC(**wrong)  # type: ignore[arg-type]
    assert patch_of(model) == 8
    assert patch_of(colour_reader()) == 16
