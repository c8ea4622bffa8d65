"""Dots and bars in parts, line by line: where they stand, what they are called, and what does not fit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from obvert.report import Dots, Report, Shares, write

EVIL = "<b>swap</b>"
DOTS = Dots(
    title="Group score",
    labels=[EVIL, "replace"],
    series={"one": [0.25, float("nan")], "other": [1.0, 0.5]},
    intervals={"one": [[0.2, 0.4], [float("nan"), float("nan")]]},
    lines={"chance": 1 / 6},
    remarks=["bag 0.17", "bag 1.00"],
    note="a note",
)
SHARES = Shares(
    title="Sides",
    labels=["swap"],
    series={"sees": [0.25], "none": [0.0], "blind": [0.75]},
    colours={"sees": 2, "blind": 1},
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write(Report(title="x", blocks=[SHARES, DOTS]), folder)
    return folder


def test_dots_stand_where_they_should(written: Path) -> None:
    page = (written / "report.html").read_text()
    tracks = page.split('<div class="track">')[2:]
    assert len(tracks) == 2
    assert [re.findall(r'class="dot" style="left: ([\d.]+)%', track) for track in tracks] == [["25.00", "100.00"], ["50.00"]]
    assert re.findall(r'class="range" style="left: ([\d.]+)%; width: ([\d.]+)%', tracks[0]) == [("20.00", "20.00")]
    assert all(re.search(r'class="mark" style="left: 16.67%', track) for track in tracks)
    assert "nan" not in page.split("</style>")[1].lower()
    assert EVIL not in page
    assert "&lt;b&gt;swap&lt;/b&gt;" in page
    assert all(f">{word}</li>" in page for word in ("one", "other", "chance"))
    assert "bag 0.17" in page


def test_parts_make_up_the_whole_in_their_own_colours(written: Path) -> None:
    page = (written / "report.html").read_text()
    parts = re.findall(r'<i style="width: ([\d.]+)%; background: var\(--c(\d)\)" title="([\w ]+) 0', page)
    assert parts == [("25.00", "2", "sees"), ("75.00", "1", "blind")]
    keys = re.search(r'<ul class="keys">(.*?)</ul>', page, re.DOTALL)
    assert keys is not None
    named = re.findall(r"--c(\d)\)\"></i>(\w+)", keys[1])
    assert named[0] == ("2", "sees")
    assert len({colour for colour, _ in named}) == 3


def test_json_and_markdown(written: Path) -> None:
    blocks = json.loads((written / "report.json").read_text())["blocks"]
    assert [block["kind"] for block in blocks] == ["shares", "dots"]
    assert blocks[1]["series"]["one"] == [0.25, None]
    assert "## Group score" in (written / "report.md").read_text()


def test_lines_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"the lines of 'x' mix the lengths \[1, 2\]"):
        Dots(title="x", labels=["a"], series={"s": [0.1, 0.2]})
    with pytest.raises(ValueError, match="mix the lengths"):
        Dots(title="x", labels=["a"], series={"s": [0.1]}, intervals={"s": []})
    with pytest.raises(ValueError, match="mix the lengths"):
        Shares(title="x", labels=["a"], series={"s": [0.1]}, remarks=["b", "c"])
