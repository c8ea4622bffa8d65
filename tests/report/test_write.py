"""Reports: strict JSON, sound Markdown, and a page that needs nothing from outside."""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from obvert.report import Curves, Gallery, GalleryRow, Histograms, Report, Table, Text, write
from obvert.report.blocks import show_interval
from obvert.report.figures import CYCLE, _curves, data_uri, draw, legend

NAN = float("nan")
ROWS = [
    {"task": "image", "name": "direct", "map": 0.412, "map_interval": [0.39, 0.43], "steps": None},
    {"task": "image", "name": "OTI", "map": 0.529, "map_interval": [0.51, 0.55], "steps": 150},
    {"task": "text", "name": "direct", "map": 0.7, "map_interval": [0.68, 0.72], "steps": None},
    {"task": "text", "name": "OTI", "map": NAN, "map_interval": [NAN, NAN], "steps": 150},
]
TABLE = Table(title="Retrieval", rows=ROWS, intervals={"map": "map_interval"}, best=("map",), group=("task",))
EVIL = "<script>alert('x')</script>"


def full() -> Report:
    picture, x = torch.rand(3, 64, 64), list(range(1000))
    return Report(
        title=f"Größe 文字 {EVIL}",
        lead="OTI beats direct $ by_far",
        blocks=[
            Text(title="Findings", lines=["one", EVIL]),
            TABLE,
            Curves(
                title="Steps",
                x_label="steps",
                y_label="mAP $",
                series={"OTI": (x, np.sqrt(x)), f"$文字 {EVIL}": (x, [NAN, *x[1:]])},
                bands={"OTI": (np.sqrt(x) - 1, np.sqrt(x) + 1)},
                lines={"direct": 0.4, "none": NAN},
                marks={"budget": 150.0},
            ),
            Histograms(title="Similarity", x_label="cosine", series={"same": [0.1, 0.2, NAN], "other": [0.3], "empty": []}),
            Gallery(
                title="Queries",
                queries=[
                    GalleryRow(
                        query=picture, label="star", results={"OTI": [(picture, EVIL, True), (picture.numpy(), "moon", False)]}
                    ),
                    GalleryRow(query=EVIL, label="words", results={"direct": [("a text", "0.3", None)]}),
                ],
            ),
        ],
        rows=ROWS,
        meta={"seeds": [0, 1], "card": {"name": EVIL, "dim": np.float32(1.5)}, "device": None},
        warnings=["too few queries"],
    )


def read(report: Report, folder: Path) -> tuple[dict, str, str]:
    page = write(report, folder)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads((folder / "report.json").read_text(encoding="utf-8"), parse_constant=refuse)
    return data, (folder / "report.md").read_text(encoding="utf-8"), page.read_text(encoding="utf-8")


def test_json_holds_the_rows_and_no_picture(tmp_path: Path) -> None:
    data, _, _ = read(full(), tmp_path)
    assert data["format"] == 1
    assert data["rows"][:3] == ROWS[:3]
    assert data["rows"][3] == ROWS[3] | {"map": None, "map_interval": [None, None]}
    assert [block["kind"] for block in data["blocks"]] == ["text", "table", "curves", "histograms", "gallery"]
    assert data["blocks"][4]["queries"][0]["results"]["OTI"][1] == {"caption": "moon", "right": False}
    assert data["meta"]["card"]["dim"] == 1.5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "report.md"]


def test_page_asks_for_nothing_and_escapes_everything(tmp_path: Path) -> None:
    _, _, page = read(full(), tmp_path)
    assert not re.search(r"https?://|<script|@import", page)
    assert all(target.startswith(("data:", "#")) for target in re.findall(r'(?:src|href)="([^"]*)"', page))
    assert page.count("<svg") == 2
    assert "Größe 文字" in page
    assert page.count("data:image/jpeg") == 3
    ids: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: ids.extend(value for key, value in attrs if key == "id")  # type: ignore[method-assign]
    parser.feed(page)
    assert len(ids) == len(set(ids))


def test_tables_by_hand(tmp_path: Path) -> None:
    _, text, page = read(Report(title="r", blocks=[TABLE]), tmp_path)
    assert text.splitlines()[4:] == [
        "| task | name | map | steps |",
        "| --- | --- | ---: | ---: |",
        "| image | direct | 0.412 [0.39, 0.43] | – |",
        "| image | OTI | **0.529** [0.51, 0.55] | 150 |",
        "| text | direct | 0.700 [0.68, 0.72] | – |",
        "| text | OTI | – | 150 |",
    ]
    assert re.findall(r"<b>(.*?)</b>", page) == ["0.529"]
    assert "[0.51, 0.55]" in page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.500"),
        (-1e-17, "0.000"),
        (2.1e-4, "2.10e-4"),
        (12345.6, "1.23e4"),
        (NAN, "–"),
        (None, "–"),
        (3, "3"),
        (True, "yes"),
        ("a|b", "a\\|b"),
    ],
)
def test_values_as_printed(value: object, text: str, tmp_path: Path) -> None:
    assert read(Report(title="r", blocks=[Table(title="t", rows=[{"x": value}])]), tmp_path)[1].endswith(f"| {text} |\n")


def test_ties_are_all_bold(tmp_path: Path) -> None:
    table = Table(title="t", rows=[{"x": 0.5001}, {"x": 0.5002}, {"x": 0.4}], best=("x",))
    assert read(Report(title="r", blocks=[table]), tmp_path)[1].count("**0.500**") == 2


@pytest.mark.parametrize(
    "block",
    [
        Table(title="t", rows=[]),
        Curves(title="c", x_label="x", y_label="y", series={}),
        Curves(title="c", x_label="x", y_label="y", series={"one": ([0], [1.0])}, marks={"m": 0}, log_x=True),
        Histograms(title="h", x_label="x", series={"same": [0.5, 0.5]}),
        Histograms(title="h", x_label="x", series={"none": []}),
        Gallery(title="g", queries=[]),
        Text(title="t", lines=[]),
    ],
)
def test_next_to_nothing(block: object, tmp_path: Path) -> None:
    read(Report(title="r"), tmp_path)
    read(Report(title="r", blocks=[block]), tmp_path)  # type: ignore[list-item]


def test_a_failing_block_leaves_what_was_there(tmp_path: Path) -> None:
    bad = Gallery(title="g", queries=[GalleryRow(query=torch.rand(5, 5), label="not a picture", results={})])
    with pytest.raises(ValueError, match="a picture is"):
        write(Report(title="new", blocks=[bad]), tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read(Report(title="old"), tmp_path)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write(Report(title="new"), tmp_path)
    assert before[2] == (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 3


def test_figures_stay_small_and_repeat_exactly() -> None:
    x = np.arange(20_000)
    noise = np.random.default_rng(0).normal(size=(4, len(x)))
    curves = Curves(
        title="c",
        x_label="x",
        y_label="y",
        series={f"s{i}": (x, y) for i, y in enumerate(noise)},
        bands={"s0": (noise[0] - 1, noise[0] + 1)},
    )
    keys = legend(curves, {})
    assert len(draw(curves, keys, prefix="a")) < 40_000
    assert draw(curves, keys, prefix="a") == draw(curves, keys, prefix="a")


def test_an_interval_as_wide_as_rounding_shows_no_more_digits_than_others() -> None:
    assert show_interval((0.9999998, 1.0000001)) == "[1.000, 1.000]"
    assert show_interval((2e-6, 3e-6)) == "[0.000002, 0.000003]"
    assert show_interval((0.12, 0.34)) == "[0.12, 0.34]"


def test_numbers_on_an_axis_are_whole_where_they_hardly_differ() -> None:
    block = Curves(title="t", x_label="x", y_label="y", series={"one": ([0.0, 1.0], [-58.9124, -58.9125])})
    assert "-58.912" in draw(block, legend(block, {}), prefix="p").replace("\u2212", "-")


def test_there_are_no_half_steps() -> None:
    def ticks(end: float) -> str:
        block = Curves(title="t", x_label="x", y_label="y", series={"one": ([0.0, end], [3.0, 4.0])})
        return draw(block, legend(block, {}), prefix="p")

    assert not re.search(r">0\.\d+<", ticks(2.0))
    assert re.search(r">0\.\d+<", ticks(1.5))


def test_tick_labels_keep_their_decimals() -> None:
    curves = Curves(title="c", x_label="x", y_label="y", series={"s": ([0, 1], [0.121, 0.124])})
    assert "0.1215" in draw(curves, legend(curves, {}), prefix="a")


def test_a_name_keeps_its_colour() -> None:
    colours: dict[str, int] = {}
    first = legend(Histograms(title="h", x_label="x", series={"a": [], "b": []}), colours)
    second = legend(
        Curves(title="c", x_label="x", y_label="y", series={"new": ([], []), "b": ([], [])}, lines={"a": 1.0}), colours
    )
    assert {key.name: key.colour for key in second} == {key.name: key.colour for key in first} | {"new": 2}
    many = legend(Curves(title="c", x_label="x", y_label="y", series={str(i): ([], []) for i in range(2 * len(CYCLE))}), {})
    assert len({key[1:] for key in many}) == 2 * len(CYCLE)


@pytest.mark.parametrize(
    "picture",
    [
        torch.rand(3, 200, 100, requires_grad=True),
        torch.rand(3, 64, 64).bfloat16(),
        torch.zeros(3, 64, 64, dtype=torch.uint8),
        np.random.default_rng(0).random((64, 64, 3)),
        torch.full((3, 64, 64), NAN),
    ],
)
def test_pictures_of_every_kind(picture: object) -> None:
    assert data_uri(picture).startswith("data:image/jpeg;base64,")
    assert len(data_uri(picture)) < 40_000


def test_tiny_pictures_stay_exact() -> None:
    assert data_uri(torch.rand(3, 8, 8)).startswith("data:image/png;base64,")


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="mixes the lengths"):
        Curves(title="c", x_label="x", y_label="y", series={"s": ([0, 1], [1.0])})
    with pytest.raises(ValueError, match="without a series"):
        Curves(title="c", x_label="x", y_label="y", series={}, bands={"s": ([], [])})


def test_a_log_axis_within_one_decade_has_numbers() -> None:
    axes = Figure().subplots()
    block = Curves(title="c", x_label="x", y_label="y", series={"one": ([2, 3, 6], [1.0, 2.0, 3.0])}, log_x=True)
    _curves(axes, block, legend(block, {"one": 0}))
    axes.figure.canvas.draw()
    assert {"2", "3", "6"} <= {label.get_text() for label in axes.get_xticklabels(minor=True)}
