"""Every name that a search takes: shapes, norms, who is changed, and pieces that are not run twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

import obvert
from obvert.core import ObvertError
from obvert.features.inverter import Inverter
from obvert.store import Run
from obvert.tasks._apply import CROSSING, apply, check, invert, known, prompt, reference_of

FEATURES = normalize(torch.randn(7, 64, generator=torch.Generator().manual_seed(0)), dim=1)


@pytest.mark.parametrize(("modality", "name"), [(m, name) for m in ("image", "text") for name in known(m)])
def test_every_name_gives_unit_features_of_the_same_shape(modality, name, clip) -> None:
    method = {"oti": obvert.OTI(steps=3), "ovi": obvert.OVI(steps=3), "inverter": Inverter(hidden=8, steps=20)}.get(name)
    reference = replace(reference_of(clip, **{modality: FEATURES}), inverted={modality: FEATURES})
    queries, gallery = FEATURES[:3].clone(), FEATURES.clone()
    found = apply(name, clip, queries, gallery, modality=modality, reference=reference, settings=method)
    assert found.name == name
    assert (found.queries.shape, found.gallery.shape) == ((3, 64), (7, 64))
    assert found.queries.dtype == found.gallery.dtype == torch.float32
    torch.testing.assert_close(found.queries.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(found.gallery.norm(dim=1), torch.ones(7))
    assert torch.equal(queries, FEATURES[:3])
    assert torch.equal(gallery, FEATURES)
    if name == "native":
        assert torch.equal(found.queries, queries)
        assert found.seconds == 0
    else:
        assert not torch.allclose(found.queries, queries)
        assert found.seconds > 0
    if name in CROSSING.values():
        assert torch.equal(found.gallery, gallery)
        assert found.steps.tolist() == [3, 3, 3]
    elif name == "inverter":
        assert torch.equal(found.gallery, gallery)
    elif name != "native":
        torch.testing.assert_close(found.gallery[:3], found.queries)


def test_names_of_the_other_side_are_refused() -> None:
    check(["native", "oti", "mean"], "image")
    with pytest.raises(ObvertError, match=r"unknown feature map for image queries 'ovi'; did you mean .*oti"):
        check(["native", "ovi"], "image")
    with pytest.raises(ObvertError, match="did you mean ovi"):
        check(["otvi"], "text")


def test_finished_pieces_are_kept_and_equal_one_run(clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from obvert.tasks import _apply

    method, calls = obvert.OTI(steps=2, snapshots=(0, 2)), []

    def counted(*args, **kwargs):
        calls.append(len(args[1]))
        return method(*args, **kwargs)

    whole = invert(counted, clip, FEATURES, name="oti")
    monkeypatch.setattr(_apply, "CHUNK", 3)
    run = Run(tmp_path / "run", {})
    first = invert(counted, clip, FEATURES, name="oti", run=run)
    again = invert(counted, clip, FEATURES, name="oti", run=run)
    assert calls == [7, 3, 3, 1]
    for key in ("features", "error", "steps", "at/0", "at/2"):
        torch.testing.assert_close(first[key], whole[key], rtol=0, atol=1e-5)
        assert torch.equal(first[key], again[key])
    assert torch.equal(first["at/2"], first["features"])
    assert first["seconds"].item() > 0


@pytest.mark.parametrize(
    ("name", "text"),
    [("red ring", "a photo of a red ring"), ("orange_star", "a photo of an orange star"), ("Owl", "a photo of an Owl")],
)
def test_a_name_as_a_caption(name: str, text: str) -> None:
    assert prompt(name) == text
