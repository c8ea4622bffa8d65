"""The experiments of compositional blindness: in miniature, going on, what is claimed of known rows, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from obvert.cli import main
from obvert.composition.theory import identifiability, world
from obvert.core import ObvertError
from obvert.store import Run
from obvert.tasks import _composition_rows as rows_of
from obvert.tasks._composition_claims import judge
from obvert.tasks._composition_rows import DRAWN, GAP, LIMIT, LINK, MARGINS, RHOS, SCMS, SEARCHED, WORLD
from obvert.tasks.composition import MEASURES, Size

SEEDS = (0, 1)
CLAIMS = 5 * len(SCMS) + len(RHOS) + 5 + 5
BAG, ORDER = world.ENCODERS


def test_a_run_in_miniature(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identifiability, "ROWS", 200)
    monkeypatch.setattr(world, "BATCHES", 4)
    monkeypatch.setattr(rows_of, "NOUNS", ("cat", "dog", "bird"))
    argv = ["paper", "composition", "--seeds", "2", "--steps", "2", "--world-steps", "2", "--scenes", "1", "--json"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    claims = json.loads(capsys.readouterr().out)
    assert len(claims) == CLAIMS
    assert all(claim["holds here"] in ("yes", "unclear", "no, the opposite") for claim in claims)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    by = {(row["task"], row["model"], row["features"]): row for row in report["rows"]}
    assert {task for task, _, _ in by} == {*MEASURES, "claims"}
    assert by[WORLD, "rho = 0", BAG]["floor"] == by[WORLD, "rho = 0", ORDER]["floor"]
    assert by[WORLD, "rho = 0", world.CANONICAL]["loss"] == by[WORLD, "rho = 0", ORDER]["loss"]
    assert by["sentence SCM", "image", "z_inv"]["theory"] == 1
    assert by["orbits of swaps", "sentences", "3 objects"]["reached"] == [1, 4, 6]
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("<svg") == 5
    assert not (tmp_path / "run.models").exists()


def test_finished_pieces_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "BATCHES", 4)
    shown: list[str] = []

    def interrupted(here: world.World, **_: Any) -> dict[str, Any]:
        if here.rho == 1:
            raise KeyboardInterrupt
        return real(here, steps=1)

    real = world.experiment
    monkeypatch.setattr(world, "experiment", interrupted)
    with pytest.raises(KeyboardInterrupt), Run(tmp_path / "run", {}) as run:
        rows_of.worlds(2, 1, run, lambda name: None)

    def only_the_rest(here: world.World, **_: Any) -> dict[str, Any]:
        assert here.rho == 1
        return real(here, steps=1)

    monkeypatch.setattr(world, "experiment", only_the_rest)
    with Run(tmp_path / "run", {}) as run:
        rows = rows_of.worlds(2, 1, run, lambda name: shown.append(name))  # type: ignore[func-returns-value]
    assert len(rows) == len(RHOS) * 2 * 3
    assert shown[0] == "composition world, rho 0, seed 0"


def perfect() -> list[dict[str, Any]]:
    """Rows as the theory has them."""
    rows: list[dict[str, Any]] = []
    theory = dict.fromkeys(identifiability.OF_CONTENT, 0.5) | {
        "z_inv": 1.0,
        "dependent style": 0.5,
        "independent style": 0.0,
        "residual": 0.0,
    }
    for seed in SEEDS:
        for task in SCMS.values():
            for side in ("image", "text"):
                told = {"task": task, "model": side, "seed": seed}
                rows += [told | {"features": block, "linear": r, "kernel": r, "theory": r} for block, r in theory.items()]
        for rho in RHOS:
            here = {"task": WORLD, "model": f"rho = {rho:g}", "seed": seed}
            losses = {BAG: 0.6, ORDER: 0.6 - rho / 2, world.CANONICAL: 0.6 + 3 * rho}
            for name, loss in losses.items():
                sees = float(name == ORDER)
                measured = {"loss": loss, "floor": loss, "swap": 0.5 + sees / 2, "group": sees, "apart": sees}
                rows.append(here | {"features": name} | measured)
        rows.append(
            {"task": LIMIT, "model": "", "features": f"N = {rows_of.LARGEST}", "seed": seed, "loss - log N": 1.0, "limit": 1.0}
        )
        link = {"task": LINK, "model": "zoo/clip", "seed": seed}
        rows += [link | {"features": f"kind {k}", "predicted": k / 10, "selected": k / 9} for k in range(5)]
        rows.append(link | {"features": GAP, "predicted": 1.0, "selected": 0.9})
        margins = {"task": MARGINS, "model": "zoo/clip", "seed": seed}
        rows.append(margins | {"features": DRAWN, "depth 1": 0.1, "depth 2": 0.2, "depth 3": 0.3})
        rows.append(margins | {"features": SEARCHED, "depth 1": 0.0, "depth 2": 0.0, "depth 3": 0.0})
    return rows


def test_all_claims_hold_of_what_the_theory_says() -> None:
    claims = [claim.row() for claim in judge(perfect())]
    assert len(claims) == CLAIMS
    assert [claim["claim"] for claim in claims if claim["holds here"] != "yes"] == []


@pytest.mark.parametrize(
    ("task", "features", "change", "broken"),
    [
        ("sentence SCM", "z_inv", {"kernel": 0.7}, 2),
        ("token SCM", "independent style", {"kernel": 0.2}, 1),
        ("token SCM", "dependent style", {"kernel": 0.3}, 1),
        ("sentence SCM", "residual", {"kernel": 0.2}, 1),
        (WORLD, BAG, {"loss": 0.7}, 4),
        (WORLD, world.CANONICAL, {"loss": 0.61, "swap": 1.0}, 2),
        (WORLD, BAG, {"apart": 0.4}, 1),
        (LIMIT, f"N = {rows_of.LARGEST}", {"loss - log N": 1.2}, 1),
        (LINK, GAP, {"selected": 0.1}, 1),
        (LINK, "kind 0", {"selected": 1.0}, 0),
        (MARGINS, SEARCHED, {"depth 3": 0.2}, 1),
        (MARGINS, DRAWN, {"depth 3": 0.01}, 1),
    ],
)
def test_claims_do_not_hold_of_anything_else(task: str, features: str, change: dict[str, float], broken: int) -> None:
    rows = [row | change if (row["task"], row["features"]) == (task, features) else row for row in perfect()]
    assert sum(claim.row()["holds here"] == "no, the opposite" for claim in judge(rows)) == broken


@pytest.mark.parametrize("wrong", [{"seeds": 1}, {"seeds": 11}, {"steps": 0}, {"world_steps": 0}, {"scenes": 0}])
def test_sizes_that_say_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ObvertError, match="need 2 to 10 seeds, a step or more of both trainings and a scene or more"):
        Size(**wrong)
