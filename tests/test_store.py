"""What is saved is opened as it was, what is there is not lost, and what was cut off leaves nothing half-written."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
import torch

import obvert
from obvert.core import Card, Fitted, Inversion, ObvertError, Solution, Status
from obvert.store import Run, new_folder


def inversion() -> Inversion:
    """Three samples with everything filled in, odd numbers among them."""
    x = torch.tensor([[[0.1, torch.inf]], [[-0.0, 1e-40]], [[3.0, torch.nan]]])
    solution = Solution(
        x=x,
        error=torch.tensor([0.1, 0.2, torch.inf]),
        steps=torch.tensor([4, 2, 0]),
        status=torch.tensor([Status.STEPS, Status.CONVERGED, Status.NON_FINITE]),
        trace=torch.rand(5, 3).T.contiguous().T,
        terms={"cosine": torch.rand(3)},
        snapshots={0: x, 10: x.double()},
    )
    return Inversion(
        method="oti",
        settings={"tokens": 1, "lr": 0.02, "stop": {"window": 10}, "snapshots": [0, 10]},
        model=Card(name="zoo/clip", family="clip", notes={"names": ["Zürich", "東京"], "scores": {"map": 0.5}}),
        target=torch.rand(3, 2),
        seed=7,
        seconds=0.25,
        versions={"obvert": "0.1.0"},
        solution=solution,
        features=torch.rand(3, 2).bfloat16(),
        snapshot_features={0: torch.rand(3, 2), 10: torch.rand(3, 2)},
    )


def same(one: object, other: object) -> bool:
    """Equal to the last bit, down into dictionaries and dataclasses; NaN equals NaN."""
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
        return True
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (Inversion, Solution, Fitted)):
        return type(one) is type(other) and all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return one == other


@pytest.mark.parametrize(
    "thing",
    [inversion(), Fitted(name="mean", settings={}, shift={"text": torch.rand(3)}, matrix={"text": torch.eye(3)[:, [1, 0, 2]]})],
    ids=["inversion", "feature map"],
)
def test_the_round_trip_is_exact(thing: Inversion | Fitted, tmp_path: Path) -> None:
    folder = obvert.save(thing, tmp_path / "deep" / "thing")
    assert same(obvert.open(folder), thing)
    assert sorted(path.name for path in folder.iterdir()) == ["about.json", "tensors.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == ["thing"]


def test_what_is_there_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    first = Fitted(name="first", settings={}, shift={}, matrix={})
    second = Fitted(name="second", settings={}, shift={}, matrix={})
    folder = obvert.save(first, tmp_path / "map")
    with pytest.raises(ObvertError, match="holds another run"):
        obvert.save(second, folder)
    assert obvert.open(folder).name == "first"
    assert obvert.open(obvert.save(second, folder, overwrite=True)).name == "second"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ObvertError, match="which is a file"):
        obvert.save(first, tmp_path / "file", overwrite=True)
    with pytest.raises(ObvertError, match="which is a file"):
        Run(tmp_path / "file" / "below" / "it", {})
    with pytest.raises(ObvertError, match="which is a file"):
        obvert.save(first, "/dev/null", overwrite=True)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_of_others_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(ObvertError, match="holds what obvert did not write"):
            obvert.save(inversion(), tmp_path / "mine", overwrite=overwrite)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_a_crash_leaves_nothing_and_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "about.json").touch()

    def crash(name: str) -> None:
        with new_folder(tmp_path / name, overwrite=True) as side:
            (side / "half").write_text("written")
            raise KeyboardInterrupt

    for name in ("new", "old"):
        with pytest.raises(KeyboardInterrupt):
            crash(name)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["old", "old/about.json"]


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    about = obvert.save(inversion(), tmp_path / "run") / "about.json"
    about.write_text(about.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ObvertError, match=r"need format 1, got 2 .* newer"):
        obvert.open(tmp_path / "run")


@pytest.mark.parametrize(
    "about",
    [None, "", "[]", "{}", "null", '{"format": 1}', '{"format": 1, "kind": "inversion", "content": {}}',
     '{"format": 1, "kind": "feature map", "content": {"name": {"$tensor": "gone"}}}',
     '{"format": 1, "kind": "feature map", "content": {"name": "mean"}}'],
)  # fmt: skip
def test_a_broken_folder_is_one_line(about: str | None, tmp_path: Path) -> None:
    folder = obvert.save(inversion(), tmp_path / "run")
    (folder / "about.json").unlink() if about is None else (folder / "about.json").write_text(about)
    with pytest.raises(ObvertError, match="run") as caught:
        obvert.open(folder)
    assert "\n" not in str(caught.value)


def test_cut_off_tensors_and_a_missing_folder_are_one_line(tmp_path: Path) -> None:
    tensors = obvert.save(inversion(), tmp_path / "run") / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-8])
    for folder in (tmp_path / "run", tmp_path / "nowhere"):
        with pytest.raises(ObvertError, match=r"obvert\.save wrote"):
            obvert.open(folder)


def test_a_run_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    made: list[str] = []

    def piece(run: Run, name: str, value: float) -> float:
        def make() -> dict[str, torch.Tensor]:
            if value < 0:
                raise KeyboardInterrupt
            made.append(name)
            return {"value": torch.tensor([value, value])[::2]}

        return run.piece(name, make)["value"].item()

    first = Run(tmp_path / "run", {"steps": 3})
    assert piece(first, "a", 1.0) == 1.0
    with pytest.raises(KeyboardInterrupt):
        piece(first, "b", -1.0)
    again = Run(tmp_path / "run", {"steps": 3})
    assert (piece(again, "a", 5.0), piece(again, "b", 2.0)) == (1.0, 2.0)
    assert made == ["a", "b"]

    other = Run(tmp_path / "run", {"steps": 4})
    assert piece(other, "a", 9.0) == 9.0
    assert other.finish() == tmp_path / "run"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert json.loads((tmp_path / "run" / "settings.json").read_text()) == {"steps": 4}


def test_a_finished_run_is_replaced_only_when_the_next_is_whole(tmp_path: Path) -> None:
    old = Run(tmp_path / "run", {})
    (old.folder / "report").write_text("old")
    old.finish()
    with pytest.raises(ObvertError, match="holds another run"):
        Run(tmp_path / "run", {})
    new = Run(tmp_path / "run", {}, overwrite=True)
    (new.folder / "report").write_text("new")
    assert (tmp_path / "run" / "report").read_text() == "old"
    new.finish()
    assert (tmp_path / "run" / "report").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("error", "left"), [(ObvertError("x"), []), (KeyboardInterrupt(), ["run.partial"]), (ValueError(), ["run.partial"])]
)
def test_a_refused_run_leaves_nothing_an_interrupted_one_its_pieces(
    error: BaseException, left: list[str], tmp_path: Path
) -> None:
    def search() -> None:
        with Run(tmp_path / "run", {}) as run:
            run.piece("a", lambda: {"value": torch.ones(1)})
            raise error

    with pytest.raises(type(error)):
        search()
    assert [path.name for path in tmp_path.iterdir()] == left
    with Run(tmp_path / "run", {}) as run:
        assert run.piece("a", lambda: {"value": torch.zeros(1)})["value"].item() == (1 if left else 0)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_refused_run_keeps_what_an_earlier_sitting_did(tmp_path: Path) -> None:
    Run(tmp_path / "run", {}).piece("a", lambda: {"value": torch.ones(1)})
    with pytest.raises(ObvertError), Run(tmp_path / "run", {}):
        raise ObvertError("x")
    assert [path.name for path in tmp_path.iterdir()] == ["run.partial"]
