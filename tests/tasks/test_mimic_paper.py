"""The concept experiments: a run in miniature, the contestants, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from obvert.cli import main
from obvert.core import ObvertError
from obvert.tasks._mimic_contestants import PATCH, VERSIONS, ablated, contestants, real_of
from obvert.tasks.mimic import Size


def test_each_version_less_one_term_differs_from_it_in_that_alone() -> None:
    whole, less = contestants(20), ablated(20)
    assert tuple(whole) == VERSIONS
    assert [name for name, one in whole.items() if not one.real] == ["naive"]
    for name, one in less.items():
        version = name.replace(",", " -").split(" - ")[0]
        other = whole[version].method
        fields = vars(one.method)
        changed = [key for key, value in vars(other).items() if fields[key] != value]
        assert len(changed) == 1 or changed == ["features", "expect"], name
        assert one.method.steps == 20
        assert one.method.patch == PATCH
        if changed == ["priors"] and not name.endswith(" - edges"):
            assert len(one.method.priors or ()) == len(other.priors or ()) - 1
    assert {name.split(" - ")[0] for name in less if " - features" in name} == {"v1", "v2", "ours"}


def test_every_prior_of_every_version_pulls() -> None:
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    looked = 0
    for name, one in contestants(5).items():
        for prior in one.method.priors or ():
            for term, value in prior(x).items():
                (slope,) = torch.autograd.grad(value.sum(), x, retain_graph=True)
                assert slope.norm() > 1e-8, (name, term)  # of the norm over all numbers
                looked += 1
    assert looked >= 9  # seams, two variations, the norm and the verifier of v1, as many of v2, one of ours


def test_real_scenes_differ_but_not_in_what_they_show() -> None:
    one, other = real_of("a red circle", 2, 0)
    assert not one.equal(other)
    assert one.equal(real_of("a red circle", 1, 0)[0])
    assert not one.equal(real_of("a red circle", 1, 1)[0])
    assert one.shape == (3, 64, 64)


@pytest.mark.parametrize("wrong", [{"concepts": 1}, {"seeds": 1}, {"steps": 0}, {"ablated": 1}, {"real": 0}])
def test_sizes_that_say_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ObvertError, match="need 2 to 60 concepts"):
        Size(**wrong)


def test_a_run_in_miniature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["paper", "mimic", "--concepts", "2", "--seeds", "2", "--steps", "1", "--ablated", "2", "--real", "2", "--json"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    claims = json.loads(capsys.readouterr().out)
    assert all(claim["holds here"] in ("yes", "unclear", "no, the opposite") for claim in claims)
    assert len(claims) == 11
    rows = json.loads((tmp_path / "run" / "report.json").read_text())["rows"]
    by = {(row["task"], row["features"]): row for row in rows if row["task"] != "claims"}
    data, noise = by["concepts", "data"], by["concepts", "noise"]
    assert (data["both"], data["captioned"], data["diversity"]) == (1, 1, 1)
    assert (noise["both"], noise["transfer"]) == (0, 0)
    assert data["distance"] < noise["distance"]
    assert data["clip_score"] > noise["clip_score"]
    assert {name for task, name in by if task == "each less one term"} == {"data", "noise", *VERSIONS, *ablated(1)}
    page = (tmp_path / "run" / "report.html").read_text()
    assert "41.25 %" in page
    assert "27.42" in page
