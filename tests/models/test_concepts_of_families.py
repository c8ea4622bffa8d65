"""Every family of vision-language models takes every version of MIMIC."""

from __future__ import annotations

import pytest
import tiny_vlms as vlms
import torch

import obvert
from obvert.core import Reader
from obvert.methods.mimic import MIMIC, PRESETS
from obvert.tasks._concept_looks import pulls

TEXTS = ["red", "a large star"]


@pytest.fixture(scope="module", params=vlms.FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    truth = vlms.FAMILIES[request.param](tmp_path_factory.mktemp(request.param.replace(" ", "-")))
    found = obvert.load(str(truth.folder), device="cpu")
    assert isinstance(found, Reader)
    return found


def test_every_version_runs(model: Reader) -> None:
    real = [torch.rand(2, *model.medium.shape, generator=torch.Generator().manual_seed(i)) for i in range(2)]
    for version in PRESETS:
        found = MIMIC(version=version, steps=2, checkpointing=version == "ours")(model, TEXTS, real=real)  # type: ignore[arg-type]
        assert found.features.shape == (2, *model.medium.shape)
        assert found.x.isfinite().all()
        assert not torch.equal(found.x, MIMIC(version=version, steps=0)(model, TEXTS, real=real).x)  # type: ignore[arg-type]
        assert ("features" in found.solution.terms) == (version != "naive")
    told = MIMIC(steps=1, expect=True)(model, TEXTS)
    assert (told.solution.terms["features"] > 0).all()


def test_words_pull_at_pictures(model: Reader) -> None:
    found = pulls(model, torch.rand(model.medium.shape), TEXTS[1])
    assert len(found) >= 3
    assert all(pull.shape == model.medium.shape[1:] and pull.max() > 0 for _, pull in found)
