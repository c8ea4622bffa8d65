"""obvert audit: what it writes from Scenes, from captions and from a benchmark, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from obvert.cli import main
from obvert.tasks._audit_compare import FILE

ITEMS = {
    str(i): {
        "filename": f"{i}.jpg",
        "caption": f"a {one} cup left of a {other} bowl",
        "negative_caption": f"a {other} cup left of a {one} bowl",
    }
    for i, (one, other) in enumerate([("red", "blue"), ("green", "pink"), ("red", "pink"), ("orange", "cyan")] * 5)
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audit") / "clip"
    assert (
        main(
            [
                "audit",
                "zoo/clip",
                "--count",
                "4",
                "--against",
                "zoo/siglip",
                "--certificate",
                "--device",
                "cpu",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    return out


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    (tmp_path / "swap_att.json").write_text(json.dumps(ITEMS))
    return tmp_path


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_a_page_from_scenes(scenes: Path) -> None:
    assert {path.name for path in scenes.iterdir()} >= {"report.html", "report.json", "report.md", FILE}
    report = told(scenes)
    tasks = {row["task"] for row in report["rows"]}
    assert tasks >= {
        "two by two",
        "recoverability",
        "which text is right",
        "compared",
        "how far texts move",
        "paraphrases",
        "certificate",
    }
    whole = next(row for row in report["rows"] if row["task"] == "two by two" and row["operator"] == "all")
    assert whole["pairs"] == 56
    assert 0.3 < whole["group"] < 0.8
    assert "zoo/siglip" in (scenes / "report.html").read_text()
    assert report["meta"]["settings"]["count"] == 4


def test_compared_with_an_earlier_audit(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [
        "audit",
        "zoo/clip",
        "--count",
        "4",
        "--against",
        str(scenes),
        "--device",
        "cpu",
        "--json",
        "--out",
        str(tmp_path / "x"),
    ]
    assert main(argv) == 0
    rows = [row for row in json.loads(capsys.readouterr().out) if row["task"] == "compared"]
    assert {row["against"] for row in rows} == {"zoo/clip, clip"}
    assert all(row["difference"] == 0 for row in rows)
    assert main(["audit", "zoo/clip", "--count", "3", "--against", str(scenes), "--out", str(tmp_path / "y")]) == 2
    assert "need an audit of the same contrasts" in capsys.readouterr().err


def test_a_benchmark_without_its_pictures(benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    argv = [
        "audit",
        "zoo/clip",
        "--benchmark",
        "sugarcrepe/swap_att",
        "--root",
        str(benchmark),
        "--device",
        "cpu",
        "--out",
        str(out),
    ]
    assert main(argv) == 0
    assert "how far texts move" in capsys.readouterr().out
    (row,) = [row for row in told(out)["rows"] if row["task"] == "how far texts move"]
    assert (row["operator"], row["atom"], row["texts"]) == ("swap", "attribute", 20)
    limit = next(row for row in told(out)["rows"] if row["task"] == "benchmark" and row["category"] == "undecidable by words")
    assert (limit["accuracy"], limit["bag_of_words"]) == (None, 0.5)


def test_captions_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.txt").write_text(
        "\n".join(item["caption"] for item in ITEMS.values()) + "\n\nein Hund liegt auf dem Sofa im Haus\n"
    )
    assert (
        main(["audit", "zoo/clip", "--captions", str(tmp_path / "c.txt"), "--device", "cpu", "--out", str(tmp_path / "out")]) == 0
    )
    said = capsys.readouterr()
    assert "1 captions do not look English" in said.err
    row = told(tmp_path / "out")["rows"][-1]
    assert (row["captions"], row["empty"], row["repeated"], row["not English"]) == (22, 1, 16, 1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--captions", "c.tsv", "--benchmark", "cola", "--root", "."], "need --captions or --benchmark, got both"),
        (["--benchmark", "cola"], "need --benchmark NAME and --root DIR together"),
        (["--root", "."], "need --benchmark NAME and --root DIR together"),
        (["--images", "."], "need --captions FILE or --benchmark NAME with --images, got neither"),
        (["--captions", "c.tsv", "--images", "nowhere"], "need a folder of pictures, got nowhere"),
        (["--captions", "nowhere.tsv"], "need a captions file, got nowhere.tsv"),
        (["--benchmark", "kola", "--root", "."], "kola"),
        (["--benchmark", "sugarcrepe", "--root", "nowhere"], "nowhere"),
        (["--count", "0"], "need --count and --most of 1 or more, got 0 and 2000"),
        (["--against", "nowhere"], "nowhere"),
        (["--parser", "guess"], "guess"),
    ],
)
def test_what_is_refused_leaves_nothing(more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "zoo/clip", "--count", "1", *more, "--out", str(tmp_path / "out")]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("obvert: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_taken_and_another_kind_of_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.json").write_text("{}")
    assert main(["audit", "zoo/clip", "--out", str(tmp_path)]) == 2
    assert "holds another run" in capsys.readouterr().err
    assert main(["audit", "zoo/vae", "--out", str(tmp_path / "new")]) == 2
    assert "need a dual encoder such as zoo/clip" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
