"""`obvert invert` on the zoo: texts to pictures, pictures to prompts, and what is refused."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch

import obvert
from obvert.cli import main
from obvert.core import ObvertError
from obvert.media import Medium, save
from obvert.methods._reading import ReaderInversion
from obvert.methods._writing import WriterInversion
from obvert.zoo.exam import pictures
from obvert.zoo.scenes import sample


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["invert", *argv])
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> str:
    stem = tmp_path_factory.mktemp("scene") / "scene"
    return str(save(Medium(kind="picture", data=pictures(sample(1, 5, things=1))[0]), stem))


@pytest.mark.parametrize("preset", ["naive", "regularised"])
def test_a_text_becomes_a_picture(preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--target", "a red circle", "a blue star", "--preset", preset, "--steps", "3", "--judges", "", "--json"]
    code, out, _ = told(capsys, *argv, "--out", str(tmp_path / "run"))
    rows = json.loads(out)
    assert code == 0
    assert [row["target"] for row in rows] == ["a red circle", "a blue star"]
    assert all(row["steps"] == 3 and row["clip_score"] is not None and row["transfer"] is None for row in rows)
    found = obvert.open(tmp_path / "run")
    assert found.x.shape == (2, 3, 64, 64)
    assert found.texts == [row["reads"] for row in rows]
    seen = obvert.read_images([tmp_path / "run" / "1.png"])[0]
    torch.testing.assert_close(seen, found.features[0], rtol=0, atol=1 / 255)
    assert all(row["residual"] > 0.1 if preset == "naive" else 0 < row["residual"] < 0.02 for row in rows)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "a red circle" in page


def test_a_picture_becomes_a_prompt(scene: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--model", "zoo/diffusion", "--preset", "regularised", "--steps", "2", "--tokens", "3", "--target", scene]
    code, out, _ = told(capsys, *argv, "--json", "--out", str(tmp_path / "run"))
    (row,) = json.loads(out)
    assert code == 0
    assert len(row["nearest"].split()) == 3
    assert row["legibility"] == pytest.approx(1, abs=1e-4)
    assert row["zoo/captioner reads"].startswith("a")
    assert obvert.open(tmp_path / "run").x.shape[:2] == (1, 3)
    code, out, err = told(capsys, *argv, "--overwrite", "--out", str(tmp_path / "run"))
    assert (code, "again db" in out, "legibility" in out, "report:" in err) == (0, True, True, True)


def test_a_text_becomes_a_sound_and_a_sound_letters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = obvert.load("zoo/speech-synthesiser", device="cpu")
    voice = said.draw(["a red circle"])[0].cpu()
    sound = str(save(Medium(kind="sound", data=voice, rate=said.rate), tmp_path / "said"))
    argv = ["--model", "zoo/speech-recogniser", "--target", "a red circle", "--steps", "1", "--seconds", "1", "--judges", ""]
    code, out, _ = told(capsys, *argv, "--recording", sound, "--json", "--out", str(tmp_path / "heard"))
    (row,) = json.loads(out)
    assert code == 0
    assert row["log_mel_db"] > 1
    if importlib.util.find_spec("pesq"):
        assert row["pesq_floor"] < row["pesq_ceiling"]
    assert obvert.open(tmp_path / "heard").features.shape == (1, 1, 16_000)
    code, out, err = told(capsys, *argv, "--overwrite", "--out", str(tmp_path / "heard"))
    assert (code, "transfer" in out, "report:" in err) == (0, True, True)
    argv = ["--model", "zoo/speech-synthesiser", "--target", sound, "--steps", "1", "--tokens", "8"]
    code, out, _ = told(capsys, *argv, "--json", "--out", str(tmp_path / "spelt"))
    (row,) = json.loads(out)
    assert code == 0
    assert len(row["nearest"].split()) <= 8
    assert obvert.open(tmp_path / "spelt").x.shape[:2] == (1, 8)
    code, out, err = told(capsys, *argv, "--overwrite", "--out", str(tmp_path / "spelt"))
    assert (code, "log mel" in out, "report:" in err) == (0, True, True)
    argv = ["--target", "a red circle", "a star", "--recording", sound, "--out", str(tmp_path / "refused")]
    code, _, err = told(capsys, *argv)
    assert code == 2
    assert "need a recording of each of the 2 targets, of a recogniser, got 1" in err


def test_a_latent_stands_for_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--target", "a red circle", "--steps", "1", "--parametrisation", "latent:zoo/vae", "--judges", "", "--encoder", ""]
    code, out, _ = told(capsys, *argv, "--json", "--out", str(tmp_path / "run"))
    assert code == 0
    assert json.loads(out)[0]["clip_score"] is None
    assert obvert.open(tmp_path / "run").settings["parametrisation"]["autoencoder"] == "zoo/vae"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--model", "zoo/clip"],
            "need a model that reads or writes, such as zoo/captioner, got zoo/clip, a dual encoder",
        ),
        (["--model", "zoo/vae"], "got zoo/vae, an autoencoder: see obvert decode-invert"),
        (["--parametrisation", "fourrier"], "unknown parametrisation 'fourrier'; did you mean fourier"),
        (["--parametrisation", "waveform"], "need sounds (1, S)"),
        (["--tokens", "3"], "need no --tokens with CaptionInversion, got 3"),
        (["--seconds", "3"], "need no --seconds with CaptionInversion, got 3"),
        (["--judges", "zoo/captioner"], "need a judge other than the inverted model, got zoo/captioner"),
        (["--judges", "zoo/clip"], "need a"),
        (["--steps", "-1"], "need --steps of 0 or more, got -1"),
        (["--model", "zoo/speech-recogniser", "--encoder", "zoo/clip"], "need no dual encoder with a model of sounds"),
        (["--model", "zoo/diffusion", "--ask", "a photo of"], "need no --ask with a model that writes, got a photo of"),
        (["--model", "zoo/diffusion", "--real", "."], "need no --real with a model that writes"),
    ],
)
def test_bad_input_is_told_in_a_line(argv: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(capsys, "--target", "a red circle", "--steps", "1", "--out", str(tmp_path / "run"), *argv)
    assert code == 2
    assert message in err
    assert err.strip().splitlines()[-1].startswith("obvert: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("target", ["", "  "])
def test_an_empty_text_is_refused(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(capsys, "--target", target, "--out", str(tmp_path / "run"))
    assert code == 2
    assert "need texts of a word or more for zoo/captioner" in err


def test_unknown_words_are_shown(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="'a mauve circle' has words that zoo/captioner does not know; .* a <unknown> circle"):
        obvert.CaptionInversion(steps=0)(obvert.load("zoo/captioner"), ["a mauve circle"])


def test_a_picture_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--model", "zoo/diffusion", "--target", str(tmp_path / "none.png"), "--out", str(tmp_path / "run")]
    code, _, err = told(capsys, *argv)
    assert code == 2
    assert "none.png" in err


def test_silence_cannot_be_spoken_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(Medium(kind="sound", data=torch.zeros(1, 16000), rate=16000), tmp_path / "silence")
    argv = ["--model", "zoo/speech-synthesiser", "--target", str(tmp_path / "silence.wav"), "--steps", "1"]
    assert main(["invert", *argv, "--out", str(tmp_path / "out")]) == 2
    assert f"need sounds that are not silent, got silence in {tmp_path / 'silence.wav'}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_judges_that_cannot_judge_are_refused_before_the_search(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ReaderInversion, "_search", lambda *_: pytest.fail("searched"))
    monkeypatch.setattr(WriterInversion, "__call__", lambda *_, **__: pytest.fail("searched"))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "scene.png").write_bytes(Path(scene).read_bytes())
    refused = {
        "need a judge other than the inverted model": ["--target", "a red circle", "--judges", "zoo/captioner"],
        "need judges of pictures, got zoo/speech-recogniser": ["--target", "a red circle", "--judges", "zoo/speech-recogniser"],
        "need 2 real pictures or more": ["--target", "a red circle", "--real", str(tmp_path / "one")],
        "zoo/speech-recogniser cannot judge this": [
            "--model",
            "zoo/diffusion",
            "--target",
            scene,
            "--judges",
            "zoo/speech-recogniser",
        ],
    }
    for message, argv in refused.items():
        assert main(["invert", *argv, "--out", str(tmp_path / "run")]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


def test_a_pipeline_is_a_writer_and_what_is_none_is_named(scene: str) -> None:
    pipeline = obvert.load("zoo/diffusion", device="cpu")
    found = obvert.PromptInversion.naive(steps=1)(pipeline, obvert.read_images([scene]))
    assert found.features.shape == (1, 3, 64, 64)
    with pytest.raises(ObvertError, match="need a writer of pictures, got zoo/captioner, a reader of pictures"):
        obvert.PromptInversion.naive(steps=1)(obvert.load("zoo/captioner", device="cpu"), obvert.read_images([scene]))
