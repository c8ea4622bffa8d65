"""Captions in groups: three layouts, one meaning; a bad line is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from obvert.captions import read_captions
from obvert.core import ObvertError

PAIRS = [("b", "a red ring"), ("a", "größer, 大きい"), ("b", "one line\u2028still the same line"), ("c", 'says "hi"')]
TEXTS = {
    "x.tsv": "".join(f"{group}\t{caption}\n" for group, caption in PAIRS),
    "x.jsonl": "".join(json.dumps({"image": g, "caption": c}, ensure_ascii=False) + "\n" for g, c in PAIRS),
    "x.json": json.dumps([{"group": g, "caption": c, "more": 1} for g, c in PAIRS]),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("name", TEXTS)
def test_every_layout_means_the_same(name: str, mark: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes((mark + TEXTS[name] + "\n\n").replace("\n", end).encode())
    found = read_captions(path)
    assert found.texts == [caption for _, caption in PAIRS]
    assert found.groups == [0, 1, 0, 2]


def test_a_caption_may_hold_a_tab_and_a_group_a_number(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("1\tone\ttwo\n")
    assert read_captions(str(tmp_path / "x.tsv")).texts == ["one\ttwo"]
    (tmp_path / "x.json").write_text('[{"image": 7, "caption": "a"}, {"image": "7", "caption": "b"}]')
    assert read_captions(tmp_path / "x.json").groups == [0, 0]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.tsv", "a\tfine\nno tab", "item 2: need a group and a caption, got 'no tab'"),
        ("x.jsonl", '{"image": 1, "caption": "a"}\n{"image": 2}', "item 2"),
        ("x.jsonl", "{broken", "item 1"),
        ("x.jsonl", "5", "item 1"),
        ("x.json", '[{"image": 1, "caption": null}]', "item 1"),
        ("x.json", '[{"image": 1, "caption": 3}]', "item 1"),
        ("x.json", "[[1, 2]]", "item 1"),
        ("x.json", "{broken", "not JSON"),
        ("x.json", "5", "need a list"),
        ("x.json", "null", "need a list"),
        ("x.json", '{"a": 1}', "need a list"),
        ("x.json", "[]", "got none"),
        ("x.tsv", " \n\n", "got none"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(name: str, text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ObvertError, match=told) as caught:
        read_captions(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ObvertError, match="need a captions file"):
        read_captions(tmp_path / "nowhere.tsv")
    (tmp_path / "latin.tsv").write_bytes("a\tgröße".encode("latin-1"))
    with pytest.raises(ObvertError, match="not UTF-8"):
        read_captions(tmp_path / "latin.tsv")
