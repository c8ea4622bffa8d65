"""Caption and transcript inversion on a reader whose answers are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toys import colour_reader

import obvert
from obvert.core import Domain, Objective, ObvertError, View
from obvert.methods.caption_inversion import CaptionInversion
from obvert.methods.transcript_inversion import TranscriptInversion
from obvert.parametrisations.coarse_to_fine import CoarseToFine
from obvert.parametrisations.fourier import Fourier
from obvert.registry import find
from obvert.solvers import Adam

METHODS = {"caption-inversion": ("picture", CaptionInversion), "transcript-inversion": ("sound", TranscriptInversion)}
FAST = {"steps": 40, "solver": Adam(lr=0.1)}


@dataclass(frozen=True, kw_only=True)
class Darkened(View):
    """Takes off up to .2."""

    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        return x - 0.2 * torch.rand(1, generator=generator)


@dataclass(frozen=True)
class Size(Objective):
    """Mean square."""

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        return {"size": x.square().flatten(1).mean(1)}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("space", ["medium", "network"])
def test_the_text_is_met_in_either_space(name: str, space: str) -> None:
    media, method = METHODS[name]
    model = colour_reader(media)
    found = method(space=space, snapshots=(0, 40), **FAST)(model, ["green", "blue"])
    assert found.method == name
    assert found.texts == ["green", "blue"]
    assert found.x.shape == (2, *model.medium.shape)
    low, high = model.medium.bounds
    assert low <= found.features.min() <= found.features.max() <= high
    torch.testing.assert_close(found.features, found.x if space == "medium" else model.back(found.x))
    assert (found.error < found.trace[0]).all()
    thirds = found.features.reshape(2, 3, -1).mean(2)
    assert thirds.argmax(1).tolist() == [1, 2]
    assert found.snapshot_texts[40] == found.texts
    assert torch.equal(found.solution.snapshots[40], found.x)
    assert torch.equal(found.solution.snapshots[0][0], found.solution.snapshots[0][1])


def test_the_error_is_the_mean_cross_entropy_plus_priors() -> None:
    model = colour_reader()
    found = CaptionInversion(steps=0, priors=(0.5 * Size(),))(model, "red")
    answer = model.tokens(["red"])
    said = -model.log_likelihood(model.front(found.x), answer).mean(1)
    torch.testing.assert_close(found.solution.terms["reading"], said)
    torch.testing.assert_close(found.solution.terms["size"], 0.5 * found.x.square().flatten(1).mean(1))
    torch.testing.assert_close(found.error, said + found.solution.terms["size"])


def test_a_batch_equals_its_samples_and_seeds_differ() -> None:
    model = colour_reader()
    method = CaptionInversion(views=(Darkened(),), looks=2, parametrisation=Fourier(), steps=5)
    found = method(model, ["red", "green", "blue"], seed=3)
    alone = method(model, ["green"], seed=3)
    torch.testing.assert_close(alone.x[0], found.x[1])
    torch.testing.assert_close(replace(method, batch=2)(model, ["red", "green", "blue"], seed=3).x, found.x)
    assert not torch.allclose(method(model, ["green"], seed=4).x, alone.x)
    assert torch.equal(method(model, ["green"], seed=3).x, alone.x)


def test_views_change_what_is_seen_not_what_is_found() -> None:
    model = colour_reader()
    plain, viewed = (CaptionInversion(views=v, steps=0)(model, ["red"]) for v in ((), (Darkened(),)))
    assert torch.equal(plain.x, viewed.x)
    assert not torch.equal(plain.error, viewed.error)


def test_what_grows_is_given_its_share() -> None:
    found = CaptionInversion(parametrisation=CoarseToFine(first=1, grown=1.0), snapshots=(0, 40), **FAST)(colour_reader(), "red")
    start = found.solution.snapshots[0]
    assert (start - start.mean((2, 3), keepdim=True)).abs().max() < 1e-6
    assert found.x.std((2, 3)).max() > 1e-3


def test_a_sound_may_be_shorter_than_the_window() -> None:
    found = TranscriptInversion(seconds=2, **FAST)(colour_reader("sound"), "red")
    assert found.x.shape == (1, 1, 32)
    assert found.texts == ["red"]
    with pytest.raises(ObvertError, match=r"need 0 to 3 seconds for toy, got 3\.5"):
        TranscriptInversion(seconds=3.5)(colour_reader("sound"), "red")


@pytest.mark.parametrize("name", METHODS)
def test_bad_input_is_told_in_a_line(name: str) -> None:
    media, method = METHODS[name]
    other = "picture" if media == "sound" else "sound"
    with pytest.raises(ObvertError, match=f"need a reader of {media}s, got toy, a reader of {other}s"):
        method()(colour_reader(other), ["red"])
    with pytest.raises(ObvertError, match=r"need texts of a word or more for toy, got .*' '"):
        method()(colour_reader(media), ["red", " "])
    with pytest.warns(UserWarning, match="'mauve' has words that toy does not know; it is read as: <unknown> <end>"):
        method(steps=0)(colour_reader(media), ["mauve"])
    with pytest.raises(ValueError, match="need steps >= 0"):
        method(steps=-1)
    with pytest.raises(ValueError, match="need space to be 'medium' or 'network', got 'pixels'"):
        method(space="pixels")


def test_a_model_that_reads_nothing_is_refused(clip) -> None:
    with pytest.raises(ObvertError, match="need a reader of pictures, got zoo/clip, a dual encoder"):
        CaptionInversion()(clip, ["red"])


@pytest.mark.parametrize("name", METHODS)
def test_saved_and_opened_it_is_the_same(name: str, tmp_path: Path) -> None:
    media, method = METHODS[name]
    found = method(snapshots=(1,), steps=2, priors=(0.1 * Size(),))(colour_reader(media), ["red", "blue"])
    again = obvert.open(obvert.save(found, tmp_path / "run"))
    assert again.texts == found.texts
    assert again.snapshot_texts == found.snapshot_texts
    assert torch.equal(again.x, found.x)
    assert again.settings == found.settings
    assert again.settings["priors"] == [{"name": "Scaled", "weight": 0.1, "inner": {"name": "Size"}}]


@pytest.mark.parametrize("name", METHODS)
def test_naive_is_the_published_recipe(name: str) -> None:
    media, kind = METHODS[name]
    method = kind.naive(steps=30)
    assert method.space == "network"
    assert (method.views, method.priors, method.steps) == ((), (), 30)
    assert kind is find("methods", name)
    assert method(colour_reader(media), ["blue"]).texts == ["blue"]
