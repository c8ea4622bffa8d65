"""obvert concept: pictures, judges and closer looks from the command line, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import obvert
from obvert.cli import main
from obvert.core import Answer, Card, ObvertError, Reader
from obvert.media import Medium, save
from obvert.methods.mimic import MIMIC
from obvert.models import load_dual
from obvert.tasks._concept_looks import by_layer, by_prompt, pulls
from obvert.tasks._judges import Judges, asked_too, check
from obvert.tasks._mimic_contestants import real_of
from obvert.tasks._verifier import verifier
from obvert.tasks.concept import named, real_pictures

CONCEPTS = ["a red circle", "a blue star"]


@pytest.fixture(scope="module")
def model() -> Reader:
    found = obvert.load("zoo/vlm", device="cpu")
    assert isinstance(found, Reader)
    return found


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    for concept in CONCEPTS:
        (folder / concept).mkdir()
        for i, picture in enumerate(real_of(concept, 2, 0)):
            save(Medium(kind="picture", data=picture), folder / concept / f"{i}")
    return folder


def test_the_command_writes_all_looks(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["concept", *CONCEPTS, "--steps", "2", "--real", str(real), "--by-layer", "--by-token", "--by-prompt", "--json"]
    argv += ["--prompt", "what do you see?", "--prompt", "describe the picture", "--out", str(tmp_path / "run")]
    assert main(argv) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["target"] for row in rows] == CONCEPTS
    assert {"top1", "top5", "named", "transfer", "clip_score", "distance", "answer_tokens"} <= set(rows[0])
    assert rows[0]["answer_tokens"] == 4
    page = (tmp_path / "run" / "report.html").read_text()
    for title in (
        "Found",
        "Judges",
        "Which words pull where",
        "Question by question",
        "Layer by layer",
        "What each layer carries",
    ):
        assert title in page
    assert (tmp_path / "run" / "1.png").exists()
    found = obvert.open(tmp_path / "run")
    assert found.method == "mimic"
    assert found.settings["prompts"] == ["what do you see?", "describe the picture"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "need a concept"),
        (["a red circle", "--by-layer"], "need --real with --by-layer"),
        (["a red circle", "--by-prompt", "--prompt", "what?"], "need --prompt twice or more with --by-prompt, got 1"),
        (["a red circle", "--real", "/nowhere"], "need a folder with pictures"),
        (["a red circle", "--names", "/nowhere"], "need a text file of names"),
        (["red " * 200], "need at most .* tokens for zoo/vlm"),
        ([" "], "need texts of a word or more"),
        (["a red circle", "--model", "zoo/clip"], "need a model that reads or writes"),
        (["a red circle", "--model", "zoo/speech-recogniser"], "need a vision-language model or a captioner"),
        (["a red circle", "--version", "v3"], "v3"),
        (["a red circle", "--judges", "zoo/vlm"], "need a judge other than the inverted model"),
    ],
)
def test_what_is_refused_leaves_nothing(more: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["concept", *more, "--steps", "1", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert re.search(told, said), said
    assert len([line for line in said.splitlines() if line.startswith("obvert: ")]) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_verifier_is_a_prior_and_no_judge(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = torch.cat([real_of(concept, 4, 0) for concept in CONCEPTS])
    for name in ("zoo/vae", "zoo/vlm-2"):
        prior, card = verifier(name, pictures[:1], device="cpu")
        assert card.name == name
        x = pictures[:2].clone().requires_grad_()
        (found,) = prior(x).values()
        assert found[0] < 1e-3 * found[1]  # it is what is real here
        (gradient,) = torch.autograd.grad(found.sum(), x)
        assert gradient[1].abs().max() > 0
    asked = ["concept", *CONCEPTS, "--version", "v1", "--steps", "1", "--real", str(real), "--out", str(tmp_path / "run")]
    for name, told in (
        ("zoo/vlm-2", "need judges that have no part in the loss, got zoo/vlm-2"),
        ("zoo/siglip", "need a verifier with layers of pictures"),
        ("zoo/vlm", "need a verifier other than the inverted model, got zoo/vlm"),
    ):
        assert main([*asked, "--verifier", name]) == 2
        assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*asked, "--verifier", "zoo/vae", "--judges", "", "--encoder", "", "--json"]) == 0
    assert '"features": "zoo/vae"' in (tmp_path / "run" / "about.json").read_text()
    asked = ["concept", "a red circle", "--version", "naive", "--real", str(real), "--verifier", "zoo/vae"]
    assert main([*asked, "--out", str(tmp_path / "no")]) == 2
    assert "need another version with --verifier" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_kin_of_a_network_in_the_loss_is_no_judge(model: Reader) -> None:
    loss = [Card(name="zoo/vlm-2", family="llava")]
    for name in ("zoo/siglip", "zoo/vlm-2"):
        with pytest.raises(ObvertError, match=f"need judges that have no part in the loss, got {name}, kin"):
            check(model, Judges(encoder=replace(load_dual("zoo/siglip"), card=Card(name=name, family="x"))), loss)
    check(model, Judges(encoder=load_dual("zoo/clip-smallgap")), loss)


@pytest.mark.filterwarnings("default:.*does not know")
def test_unknown_words_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["concept", "a mauve circle", "--steps", "0", "--judges", "", "--encoder", "", "--out", str(tmp_path / "run")]
    assert main(argv) == 0
    assert "warning: 'a mauve circle' has words that zoo/vlm does not know" in capsys.readouterr().err


@pytest.mark.filterwarnings("default:.*is left out")
def test_real_pictures_of_each_concept(model: Reader, real: Path, tmp_path: Path) -> None:
    found = real_pictures(real, model, CONCEPTS)
    assert [tuple(pictures.shape) for pictures in found] == [(2, 3, 64, 64)] * 2
    torch.testing.assert_close(found[0], (real_of(CONCEPTS[0], 2, 0) * 255).round() / 255)
    assert len(real_pictures(real / CONCEPTS[0], model, ["a red thing"])[0]) == 2  # one concept needs no folder of its own
    with pytest.raises(ObvertError, match=r"need a folder for each concept in .*, got none named 'a green ring'"):
        real_pictures(real, model, [*CONCEPTS, "a green ring"])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with (
        pytest.warns(UserWarning, match=r"broken\.png is left out"),
        pytest.raises(ObvertError, match="need a picture that can be read"),
    ):
        real_pictures(tmp_path, model, ["a red circle"])
    save(Medium(kind="picture", data=torch.rand(3, 40, 80)), tmp_path / "wide")
    with pytest.warns(UserWarning, match=r"broken\.png is left out"):
        (pictures,) = real_pictures(tmp_path, model, ["a red circle"])
    assert pictures.shape == (1, 3, 64, 64)


def test_real_scenes_are_named_as_what_they_are() -> None:
    encoder = obvert.load("zoo/siglip", device="cpu")
    pictures = [real_of(concept, 1, 3)[0] for concept in CONCEPTS]
    rows = named(encoder, pictures, CONCEPTS, ["a green ring", "a red circle"])  # type: ignore[arg-type]
    assert [row["named"] for row in rows] == CONCEPTS
    assert [row["top1"] for row in rows] == [1, 1]
    (row,) = named(encoder, pictures[:1], ["a pink moon"], ["a red circle"])  # type: ignore[arg-type]
    assert (row["named"], row["top1"], row["top5"]) == ("a red circle", 0, 1)


def test_words_pull_where_they_look(model: Reader) -> None:
    side, words = 32, Answer(model.answer(["red circle"]).ids, torch.ones(1, 3, dtype=torch.bool))

    def log_likelihood(x: Tensor, answer: Answer) -> Tensor:  # the first word looks at the left half, the second at the right
        left, right = x[..., : side // 2].mean((1, 2, 3)), x[..., side // 2 :].mean((1, 2, 3))
        return torch.stack((left, right, 0 * left), dim=1)

    eye = {"front": lambda pictures: torch.stack(list(pictures)), "log_likelihood": log_likelihood, "tokens": lambda texts: words}
    found = pulls(replace(model, **eye), torch.rand(3, side, side), "red circle")  # type: ignore[arg-type]
    assert [token for token, _ in found] == ["red", "circle"]
    halves = (slice(0, 16), slice(16, 32))
    for (_, pull), (inside, outside) in zip(found, (halves, halves[::-1]), strict=True):
        assert (pull[:, inside] > 0).all()
        assert (pull[:, outside] == 0).all()


def test_looks_that_cannot_be_had(model: Reader) -> None:
    with pytest.raises(ObvertError, match="need real pictures and a model with layers, got no real pictures"):
        by_layer(model, MIMIC(), CONCEPTS, None, Judges())
    with pytest.raises(ObvertError, match="need 2 questions or more to compare, got 1"):
        by_prompt(model, MIMIC(), ["what?"], CONCEPTS, None, Judges())


def test_answers_are_read_under_the_question_that_was_asked(model: Reader) -> None:
    question = "what colour is the circle?"
    red = real_of("a red circle", 2, 0)
    asked = MIMIC(version="naive", steps=0, prompts=(question, "what is it?"))(model, ["red", "blue"])
    assert asked.texts == model.ask(question).generate(asked.x)
    eye = asked_too(Judges(readers={"eye": model, "captioner": obvert.load("zoo/captioner", device="cpu")}), model, question)
    assert list(eye.readers) == ["eye"]  # a captioner answers nothing
    assert eye.readers["eye"].read(list(red)) == ["red", "red"]
    captioner = obvert.load("zoo/captioner-2", device="cpu")
    assert asked_too(Judges(readers={"eye": model}), captioner, "a photo of").readers == {"eye": model}


def test_pictures_and_words_are_not_both_expected(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["concept", *CONCEPTS, "--real", str(real), "--expect", "--out", str(tmp_path / "run")]) == 2
    assert "need --real or --expect, got both" in capsys.readouterr().err
