"""The audit of captions as a stranger meets it: what it prints and writes, and what it says of bad files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from obvert.cli import main


def audited(tmp_path: Path, capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[list[dict], dict]:
    out = tmp_path / "out"
    assert main(["audit-captions", *argv, "--out", str(out), "--json", "--overwrite"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json", "report.md"]
    return json.loads(capsys.readouterr().out), json.loads((out / "report.json").read_text())


def test_scenes_need_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, report = audited(tmp_path, capsys, "--scenes", "500", "--sample", "60", "--batch", "16", "500")
    assert rows == report["rows"]
    assert [row["batch"] for row in rows if row["task"] == "batches"] == [16, 500]
    assert {row["operator"] for row in rows if row["task"] == "edits"} == {"swap", "replace", "add"}
    for row in (row for row in rows if row["task"] == "edits"):
        assert (
            row["share_interval"][0] - 1e-9 <= row["share"] == row["taught"] / row["captions"] <= row["share_interval"][1] + 1e-9
        )
    order = next(row for row in rows if row["task"] == "order")
    assert 0 <= order["half corpus"] <= order["entropy"] <= order["corrected"]
    again, _ = audited(tmp_path, capsys, "--scenes", "500", "--sample", "60", "--batch", "16", "500")
    assert again == rows


def test_several_captions_of_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = ["a dog chases a cat", "a cat chases a dog"]
    for pictures, pairs in (("xx", 0), ("xy", 1)):
        (tmp_path / "c.tsv").write_text("".join(f"{p}\t{text}\n" for p, text in zip(pictures, pair, strict=True)))
        rows, report = audited(tmp_path, capsys, str(tmp_path / "c.tsv"))
        assert next(row for row in rows if row["task"] == "batches")["pairs"] == pairs
        swap = next(row for row in rows if row["task"] == "edits" and (row["operator"], row["kind"]) == ("swap", "object"))
        assert (swap["captions"], swap["taught"]) == (2, 2 * pairs)
        assert report["lead"].startswith("100.000% of the captions share their words")


def test_what_is_odd_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = ["", "ein Hund läuft schnell", "zwei Kinder spielen Ball", "un chat dort bien", "a dog", "a dog", "long " * 80]
    (tmp_path / "odd.txt").write_text("\n".join(odd))
    rows, report = audited(tmp_path, capsys, str(tmp_path / "odd.txt"))
    assert rows[0] | {"captions": 6, "empty": 1, "repeated": 1, "too long": 1, "foreign letters": 1} == rows[0]
    said = " | ".join(report["warnings"])
    for told in ("1 captions without a word", "1 captions repeat", "77 positions", "do not look like English"):
        assert told in said
    (tmp_path / "few.txt").write_text("a dog\na cat sat\n")
    assert not audited(tmp_path, capsys, str(tmp_path / "few.txt"))[1]["warnings"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "need a file of captions or --scenes N, got both or neither"),
        (["FILE", "--scenes", "5"], "both or neither"),
        (["nowhere.txt"], "need a captions file, got nowhere.txt"),
        (["--scenes", "-3"], "need --scenes and --sample of 1 or more"),
        (["FILE", "--batch", "9"], "need a batch of 2 to 3 captions"),
        (["FILE", "--parser", "scenes"], "need a caption of Scenes"),
        (["--scenes", "1"], "need a batch of 2 to 1 captions"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(argv, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.txt").write_text("a dog\na cat\na bird\n")
    argv = [str(tmp_path / "c.txt") if one == "FILE" else one for one in argv]
    assert main(["audit-captions", *argv, "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.txt"]
