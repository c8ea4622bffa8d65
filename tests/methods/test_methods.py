"""The contract of every method that takes features, on the embedded CLIP."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import obvert
from obvert.core import Status
from obvert.registry import find, names
from obvert.zoo.draw import draw
from obvert.zoo.scenes import sample

STEPS = 25


@pytest.fixture(scope="module")
def targets(clip) -> dict[str, Tensor]:
    pictures = list(draw(sample(3, 5)).float() / 255)
    return {"oti": clip.image_features(pictures), "ovi": clip.text_features(["a red ring", "a small star", "a blue moon"])}


def digest(model) -> str:
    return hashlib.sha256(b"".join(t.numpy().tobytes() for t in model.parameters().values())).hexdigest()


FEATURES = ["oti", "ovi"]
DECODERS = ["decoder-inversion", "gradient-decoder-inversion"]
"""Their contract is in test_decoder_inversion.py."""
SAMPLERS = ["diffusion-inversion"]
"""Their contract is in test_diffusion_inversion.py."""
READERS = ["caption-inversion", "transcript-inversion"]
"""Their contract is in test_reader_inversion.py."""
CONCEPTS = ["mimic"]
"""Its contract is in test_mimic.py."""
WRITERS = ["prompt-inversion", "speech-prompt-inversion"]
"""Their contract is in test_writer_inversion.py."""


def test_every_method_has_a_contract() -> None:
    assert sorted(FEATURES + DECODERS + SAMPLERS + READERS + CONCEPTS + WRITERS) == names("methods")


@pytest.mark.parametrize("name", FEATURES)
class TestContract:
    def test_error_falls_features_match_weights_stay(self, name: str, clip, targets) -> None:
        before, method = digest(clip), find("methods", name)(steps=STEPS)
        found = method(clip, targets[name])
        assert digest(clip) == before
        assert (found.error < 0.95 * found.solution.trace[0]).all()
        torch.testing.assert_close(found.features.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(1 - (found.features * targets[name]).sum(1), found.error, rtol=0, atol=1e-5)
        assert (found.status == Status.STEPS).all()
        assert found.steps.tolist() == [STEPS] * 3
        assert found.x.shape[0] == 3
        assert found.x.shape[1] == 1

    def test_seed_and_batch(self, name: str, clip, targets) -> None:
        method = find("methods", name)(steps=5)
        found = method(clip, targets[name], seed=3)
        assert torch.equal(found.x, method(clip, targets[name], seed=3).x)
        assert not torch.equal(found.x, method(clip, targets[name], seed=4).x)
        for i in range(3):
            torch.testing.assert_close(method(clip, targets[name][i : i + 1], seed=3).x[0], found.x[i], rtol=0, atol=1e-5)
        torch.testing.assert_close(replace(method, batch=2)(clip, targets[name], seed=3).x, found.x, rtol=0, atol=1e-5)

    def test_one_run_gives_the_step_curve(self, name: str, clip, targets) -> None:
        method = find("methods", name)
        whole = method(steps=8, snapshots=(0, 5))(clip, targets[name])
        short = method(steps=5)(clip, targets[name])
        torch.testing.assert_close(whole.snapshot_features[5], short.features, rtol=0, atol=1e-6)

    def test_the_stop_rule_is_per_sample(self, name: str, clip, targets) -> None:
        found = find("methods", name)(steps=200, stop=obvert.Plateau())(clip, targets[name])
        assert (found.status == Status.STOPPED).all()
        assert (found.steps < 200).all()

    def test_saved_and_opened_it_is_the_same(self, name: str, clip, targets, tmp_path: Path) -> None:
        found = find("methods", name)(steps=4, snapshots=(2,))(clip, targets[name])
        again = obvert.open(obvert.save(found, tmp_path / "run"))
        assert torch.equal(again.x, found.x)
        assert torch.equal(again.snapshot_features[2], found.snapshot_features[2])
        assert (again.method, again.seed, again.model) == (found.method, found.seed, found.model)
        with pytest.raises(obvert.ObvertError, match="holds another run"):
            obvert.save(found, tmp_path / "run")

    def test_bad_targets_are_refused(self, name: str, clip) -> None:
        method = find("methods", name)(steps=1)
        with pytest.raises(obvert.ObvertError, match="finite"):
            method(clip, torch.full((2, 64), torch.nan))
        with pytest.raises(obvert.ObvertError, match=r"shape \(B, 64\)"):
            method(clip, torch.ones(2, 9))


def test_a_word_is_found_again(clip) -> None:
    target = clip.text_features(["a photo of circle", "a photo of red"])
    assert (obvert.OTI(steps=400)(clip, target).error < 1e-2).all()
