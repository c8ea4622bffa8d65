"""A repair from a user's captions: how many are used, which are odd, and what is made of each of the others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from obvert.cli import main
from obvert.composition.operators import Vocabulary
from obvert.composition.repair.miner import Miner
from obvert.composition.text.parsing import parser
from obvert.media import Medium, save
from obvert.tasks import _repair_given as given
from obvert.tasks._audit_captions import from_captions
from obvert.tasks._repair_course import NO_PAIRS
from obvert.zoo.exam import pictures
from obvert.zoo.scenes import sample

QUICK = ["--steps", "1", "--batch", "2", "--rank", "2", "--depth", "1", "--beam", "1", "--shots", "4"]
THINGS = ("cup", "bowl", "table", "chair", "dog", "cat", "horse", "car", "boat", "house", "tree", "ball")
COLOURS = ("red", "blue", "green", "black")
TEXTS = [f"a {COLOURS[i % 4]} {one} near a {COLOURS[(i + 1 + i // 4) % 4]} {THINGS[i - 5]}" for i, one in enumerate(THINGS)]
"""No two an edit apart."""
CAPTIONS = [(f"{i}.png", text) for i, text in enumerate(TEXTS)]
ODD = [("0.png", " "), ("1.png", ""), ("2.png", TEXTS[2]), ("3.png", "ein Hund läuft sehr schnell"), ("lost.png", "a red bird")]
EACH = 5
"""Contrasts of a caption: three of one edit, one of two and one of three."""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of pictures, the last of them broken."""
    for i, shown in enumerate(pictures(sample(len(THINGS) - 1, 5))):
        save(Medium(kind="picture", data=shown), tmp_path / f"{i}")
    (tmp_path / "11.png").write_bytes(b"no picture")
    return tmp_path


def written(folder: Path, captions: list[tuple[str, str]]) -> Path:
    (folder / "c.tsv").write_text("".join(f"{name}\t{text}\n" for name, text in captions))
    return folder / "c.tsv"


def repair(own: Path, *more: str) -> int:
    argv = ["repair", "zoo/clip", "--captions", str(own / "c.tsv"), "--images", str(own), *QUICK, *more]
    return main([*argv, "--out", str(own / "out")])


@pytest.mark.filterwarnings(r"ignore:.*11\.png is left out")
def test_odd_captions_are_counted_and_told(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(own, CAPTIONS + ODD)
    assert repair(own) == 0
    page, err = json.loads((own / "out" / "report.json").read_text()), capsys.readouterr().err
    told = [  # the one that is not English is used all the same
        "2 of 17 captions are empty",
        "1 of 17 captions are repeated",
        "1 of 17 captions are not English",
        f"1 of 14 captions have no picture in {own}; 13 are evaluated with theirs",
        f"{12 * EACH} of {14 * EACH} contrasts have pictures that could be read; the others are left out",
        NO_PAIRS,
    ]
    assert page["warnings"] == told
    assert [line.removeprefix("warning: ") for line in err.splitlines() if line.startswith("warning: ")] == told
    (said,) = next(block for block in page["blocks"] if block["title"] == "What was learned from, and what was asked")["lines"]
    counts = re.fullmatch(r"(\d+) lessons, 0 of them real .*; (\d+) contrasts to choose the share on, (\d+) to test\.", said)
    assert counts
    lessons, tried, tested = map(int, counts.groups())
    assert lessons * EACH + tried + tested == 12 * EACH
    assert [row["contrasts"] for row in page["rows"] if row["task"] == "repair"][-1] == tested


def test_of_more_captions_than_are_wanted_some_are_used(own: Path) -> None:
    written(own, CAPTIONS[:11])
    assert repair(own, "--most", "9") == 0
    assert json.loads((own / "out" / "report.json").read_text())["warnings"] == [
        "9 of 11 captions are used, drawn by picture",
        NO_PAIRS,
    ]


def test_each_caption_is_learned_from_or_asked_and_has_its_share_of_negatives(clip: Any, own: Path) -> None:
    parse = parser("lexicon")
    material = from_captions(written(own, CAPTIONS[:11]), own, parse)
    miner = Miner(vocabulary=Vocabulary(words={}), depth=2, beam=3)
    course = given.from_contrasts(clip, material.contrasts, None, miner=miner, parse=parse)
    taught = [one.texts[0] for one in course.lessons.items]
    asked = [item.texts[0] for exam in (course.validation, course.test) for item in exam.items]
    assert sorted([*taught, *set(asked)]) == sorted(TEXTS[:11])
    assert len(asked) == EACH * len(set(asked))
    assert course.lessons.kept == taught
    for one in course.lessons.items:
        assert [depth for _, depth in one.wrong] == [1] * 3 + [2] * 3
        assert len({text for text, _ in one.wrong} | {one.texts[0]}) == 7


@pytest.mark.parametrize(
    ("captions", "more", "said"),
    [
        (ODD[:2], [], "need captions with words in them, got 2 empty ones in"),
        (ODD[4:], [], "need pictures of"),
        (CAPTIONS, ["--most", "0"], "need --most of 1 or more"),
    ],
)
def test_captions_that_teach_nothing_are_refused(
    captions: list[tuple[str, str]], more: list[str], said: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(own, captions)
    assert repair(own, *more) == 2
    assert said in capsys.readouterr().err
    assert not (own / "out").exists()
