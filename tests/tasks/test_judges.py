"""Who judges a reader: never the inverted model, wherever its weights lie, and no eye that it shares its tower with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from obvert.cli import main
from obvert.core import Card, ObvertError
from obvert.hub import locate
from obvert.models import load_reader
from obvert.tasks._judges import Judges, _same, judges_of
from obvert.tasks.reading import judge
from obvert.zoo.recipes import RECIPES


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zoo's readers of pictures under another path."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("captioner", "vlm"):
        shutil.copytree(locate(f"zoo/{name}").folder, folder / f"my-{name}")
    return folder


def test_models_are_the_same_by_their_weights_and_without_these_by_name() -> None:
    one = Card(name="here", family="blip", sha256="a")
    assert _same(one, replace(one, name="there"))
    assert not _same(one, replace(one, sha256="b"))
    assert _same(one, replace(one, sha256=""))
    assert not _same(one, replace(one, name="there", sha256=""))


def test_a_copy_judges_no_more_than_the_model_itself(elsewhere: Path) -> None:
    model, copied = load_reader("zoo/captioner", device="cpu"), load_reader(str(elsewhere / "my-captioner"), device="cpu")
    grey = torch.full((1, *model.medium.shape), 0.5)
    for one, other in ((model, copied), (copied, model)):
        with pytest.raises(ObvertError, match="need a judge other than the inverted model, got eye, which has its weights"):
            judge(one, grey, ["a red circle"], Judges(readers={"eye": other}))
    changed = replace(copied, card=replace(copied.card, name=model.card.name, sha256="0" * 64))
    (row,) = judge(model, grey, [model.read(list(grey))[0]], Judges(readers={"eye": changed}))
    assert (row["match"], row["transfer"]) == (1, 1)


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["invert", "--target", "a red circle", "--steps", "1", "--model", "MODEL"], "captioner"),
        (["scorecard", "MODEL", "--alone", "--steps", "1", "--seeds", "2"], "captioner"),
        (["concept", "a red circle", "--steps", "1", "--model", "MODEL"], "vlm"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_commands_refuse_a_copy_as_judge(
    argv: list[str], kind: str, turned: bool, elsewhere: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, other = f"zoo/{kind}", str(elsewhere / f"my-{kind}")
    if turned:
        model, other = other, model
    argv = [model if one == "MODEL" else one for one in argv]
    assert main([*argv, "--judges", other, "--encoder", "", "--out", str(tmp_path / "run")]) == 2
    assert f"need a judge other than the inverted model, got {other}, which has its weights" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "eye"), [("captioner", "clip"), ("captioner-2", "siglip"), ("vlm", "siglip"), ("vlm-2", "clip")]
)
def test_no_eye_of_the_zoo_judges_the_tower_that_began_with_it(name: str, eye: str) -> None:
    judges = judges_of(f"zoo/{name}", load_reader(f"zoo/{name}", device="cpu"))
    assert judges.encoder is not None
    assert judges.encoder.card.name == f"zoo/{eye}"
    assert judges.encoder.card.name != RECIPES[name].start  # type: ignore[attr-defined]
    assert judges.readers
    assert f"zoo/{name}" not in judges.readers
