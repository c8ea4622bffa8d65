"""obvert watermark as a stranger meets it, on a model whose latents are its noise."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from PIL import Image

from obvert.cli import main
from obvert.commands._watermark import WatermarkOptions
from obvert.commands.watermark import Bench
from obvert.core import Autoencoder, Card, Diffusion, Schedule
from obvert.core.diffusion import draw_noise
from obvert.tasks._watermark_tools import decoder_inversion, drawing
from obvert.watermarks.tree_ring import TreeRing

LIMIT = 8.0


def standing(steps: int) -> Schedule:
    """A flow whose points all are the same."""
    noise = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    return Schedule(times=noise[:-1], signal=1 - noise, noise=noise)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Diffusion(
        card=Card(name="toy", family="toy"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        autoencoder=Autoencoder.from_functions(lambda x: 2 * LIMIT * (x - 0.5), lambda z: z / (2 * LIMIT) + 0.5),
        shape=(3, 16, 16),
        prediction="flow",
        embed=lambda captions: torch.zeros(len(captions), 1),
        predict=lambda z, t, said: torch.zeros_like(z),
        schedule=standing,
    )
    monkeypatch.setattr("obvert.commands._watermark.WatermarkOptions.pipeline", lambda self: model)
    if importlib.util.find_spec("obvert.methods.diffusion_inversion") is None:
        module = ModuleType("diffusion_inversion")
        module.DiffusionInversion = lambda steps: lambda model, latents, captions=None, seed=0: SimpleNamespace(x=latents)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "obvert.methods.diffusion_inversion", module)


@pytest.mark.filterwarnings("default:.*is resized to:UserWarning")
@pytest.mark.parametrize("scheme", ["tree-ring", "gaussian-shading"])
def test_what_is_embedded_is_detected(scheme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["--scheme", scheme, "--steps", "2", "--json"]
    assert main(["watermark", "embed", "--caption", "a ring", "a star", "--key", "7", "--out", str(out), *command]) == 0
    drawn = [row["picture"] for row in json.loads(capsys.readouterr().out)]
    about = json.loads((out / "about.json").read_text())
    assert about["watermark"]["scheme"] == scheme
    assert "7" not in json.dumps(about["watermark"])  # all but the key
    look = ["watermark", "detect", "--by", "encoder", *command]
    assert main([*look, "--key", "5", "--keys", "4", *drawn]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["watermarked"], row["key"]) for row in rows] == [(True, 7)] * 2
    assert main([*look, "--key", "8", *drawn]) == 0
    assert not any(row["watermarked"] for row in json.loads(capsys.readouterr().out))
    with Image.open(drawn[0]) as picture:
        picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST).save(tmp_path / "twice.png")
    assert main([*look, "--key", "7", str(tmp_path / "twice.png")]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)[0]["watermarked"]
    assert "twice.png: 32 x 32 is resized to 16 x 16" in told.err
    assert main(["watermark", "embed", "--caption", "x", "--key", "7", "--out", str(out), *command]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_bench_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts").write_text("one\ntwo\n\nthree\nfour\n")
    few = ["--texts", str(tmp_path / "texts"), "--captions", "3", "--keys", "2", "--attack", "none,noise", "--by", "encoder"]
    assert main(["watermark", "bench", "--out", str(tmp_path / "out"), "--steps", "2", "--json", *few]) == 0
    printed = json.loads(capsys.readouterr().out)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(printed) == len(report["rows"]) == 2 + 12
    assert printed[0]["keys_right"] == printed[0]["pictures"] == 6
    assert report["meta"]["settings"]["scheme"] == "tree-ring"
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["embd"], "did you mean embed"),
        (["embed", "--caption", "x", "--key", "1", "--scheme", "tree-rings", "--out", "OUT"], "did you mean tree-ring"),
        (["embed", "--caption", "x", "--key", "1", "--radius", "9", "--out", "OUT"], "radius of 1 to 7"),
        (["detect", "--key", "1"], "at least one picture"),
        (["detect", "--key", "1", "missing.png"], "missing.png"),
        (["detect", "--key", "1", "--by", "gradients", "PICTURE"], "did you mean gradient"),
        (["bench", "--attack", "jpg", "--out", "OUT"], "did you mean jpeg"),
        (["bench", "--keys", "0", "--out", "OUT"], "of 1 or more"),
        (["bench", "--texts", "missing.txt", "--out", "OUT"], "need missing.txt"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    argv: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "wide.png")
    places = {"OUT": str(tmp_path / "out"), "PICTURE": str(tmp_path / "wide.png")}
    assert main(["watermark", *(places.get(arg, arg) for arg in argv)]) == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wide.png"]


def test_the_command_that_embedding_names_finds_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--scheme", "gaussian-shading", "--copies-channel", "3", "--steps", "2"]
    assert main(["watermark", "embed", "--caption", "a ring", "--key", "7", "--out", str(tmp_path / "out"), *argv]) == 0
    said = next(line for line in capsys.readouterr().err.splitlines() if "finds them" in line)
    assert "--key KEY --scheme gaussian-shading --steps 2 --copies-channel 3 PICTURE..." in said
    command = said.split("obvert ")[1].removesuffix(" finds them").replace("KEY", "7")
    words = command.replace("PICTURE...", str(tmp_path / "out" / "0.png")).split()
    assert main([*words, "--by", "encoder", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["watermarked"]


def test_no_clean_picture_starts_from_the_noise_of_a_published_key() -> None:
    usual = Bench(out=Path("out"), captions=4, seed=2)
    published = replace(usual, ring=TreeRing(mask="published", pattern="random"))
    assert (usual.seeds(), published.seeds()) == (range(3), range(6, 9))
    scheme, noises = published.watermark(), draw_noise((4, 16, 16), 4, 2)
    assert all((scheme.p_value(noises, scheme.key((4, 16, 16), k)) > 1e-6).all() for k in published.seeds())
    assert scheme.p_value(noises, scheme.key((4, 16, 16), 2)).min() < 1e-12  # which is why they are kept apart


def test_pictures_that_do_not_fit_in_memory_are_drawn_and_encoded_by_fewer() -> None:
    def scarce(x: torch.Tensor) -> torch.Tensor:
        if len(x) > 1:
            raise torch.OutOfMemoryError("no")
        return x

    model = replace(WatermarkOptions().pipeline(), autoencoder=Autoencoder.from_functions(scarce, scarce, bounds=(-9, 9)))
    noise = torch.linspace(-1, 1, 2 * 3 * 16 * 16).view(2, 3, 16, 16)
    with pytest.warns(UserWarning, match="out of memory; going on with 1 pictures at once"):
        drawn = drawing(model, 2, 1.0)(["a", "b"], noise)
    with pytest.warns(UserWarning, match="out of memory; going on with 1 pictures at once"):
        assert torch.equal(decoder_inversion(model, "encoder")(drawn), drawn)
