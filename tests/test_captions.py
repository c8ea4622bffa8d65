"""Captions in groups: three layouts, one meaning; a bad line is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from obvert import captions
from obvert.captions import read_captions, stream_captions
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


COCO = {
    "info": {"description": "captions", "year": 2014},
    "images": [{"id": 1, "file_name": "1.jpg"}],
    "annotations": [{"image_id": 1, "id": 7, "caption": "a cat "}, {"image_id": 1, "id": 8, "caption": "a dog"}],
}
KARPATHY = {"images": [{"filename": "1.jpg", "sentences": [{"raw": "a cat"}, {"raw": "a dog"}], "split": "test"}], "dataset": "x"}
NUMBERED = '{"0": {"filename": "1.jpg", "caption": "a cat"}, "1": {"caption": "a dog"}}'


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.txt", "a cat\n\n a dog \n", [("", "a cat"), ("", ""), ("", "a dog")]),
        ("x.tsv", "1\ta cat\n\n2\t\n", [("1", "a cat"), ("2", "")]),
        ("x.jsonl", '"a cat"\n{"image": 3, "captions": ["a dog", "a \\"hog"]}', [("", "a cat"), ("3", "a dog"), ("3", 'a "hog')]),
        ("x.json", '[ "a cat" ,{"caption": "größer", "more": [1, -2.5e3, {}]}]', [("", "a cat"), ("", "größer")]),
        ("x.json", json.dumps(COCO, indent=1), [("1", "a cat"), ("1", "a dog")]),
        ("x.json", json.dumps(KARPATHY), [("1.jpg", "a cat"), ("1.jpg", "a dog")]),
        ("x.json", NUMBERED, [("1.jpg", "a cat"), ("", "a dog")]),
    ],
)
def test_a_stream_of_every_layout(name, text, said, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "PIECE", piece)
    for mark in ("", "\ufeff"):
        (tmp_path / name).write_text(mark + text, encoding="utf-8")
        assert list(stream_captions(tmp_path / name)) == said


@pytest.mark.parametrize("name", TEXTS)
def test_a_stream_reads_what_is_read_at_once(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(TEXTS[name])
    assert list(stream_captions(tmp_path / name)) == PAIRS


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.tsv", "a\tfine\nno tab", "item 2: need a caption, got 'no tab'"),
        ("x.tsv", "a caption\thttps://example.org/1.jpg", "item 1"),
        ("x.jsonl", '{"image": 1, "caption": "a"}\n{"image": 2}', "item 2"),
        ("x.jsonl", "{broken", "item 1"),
        ("x.jsonl", "5", "item 1: .*without caption"),
        ("x.json", '["a", {"caption": 3}]', "item 2"),
        ("x.json", '["a", {"caption": null}]', "item 2"),
        ("x.json", '["a" "b"]', "item 2.*where ',' or ']' belongs"),
        ("x.json", '["a", ', "item 2.*no JSON"),
        ("x.json", '["a"] ["b"]', "item 2.*after the end"),
        ("x.json", '{"a" 3}', "item 1.*no JSON"),
        ("x.json", '{3: "a"}', "item 1"),
        ("x.json", '{"images": [{"sentences": ["a"]}]}', "item 1"),
        ("x.json", "5", "where a list begins"),
        ("x.json", "", "where a list begins"),
        ("x.json", "[]", "got none"),
        ("x.json", '{"a": 1, "b": ["c"], "d": []}', "got none"),
        ("x.txt", "", "got none"),
    ],
)
def test_what_is_wrong_with_a_stream_is_told_in_a_line(name: str, text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ObvertError, match=told) as caught:
        list(stream_captions(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_stream_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ObvertError, match="need a captions file"):
        next(stream_captions(tmp_path))
    (tmp_path / "latin.txt").write_bytes("größe".encode("latin-1"))
    with pytest.raises(ObvertError, match="not UTF-8"):
        next(stream_captions(tmp_path / "latin.txt"))
    (tmp_path / "long.json").write_text('["' + "a" * 1000)
    monkeypatch.setattr(captions, "LONGEST", 10)
    monkeypatch.setattr(captions, "PIECE", 10)
    with pytest.raises(ObvertError, match="no JSON"):
        next(stream_captions(tmp_path / "long.json"))
