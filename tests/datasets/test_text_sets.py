"""Text sets on miniatures in their published layouts: who searches whom, what is relevant, and what is said of missing files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from obvert.cli import main
from obvert.core import ObvertError, TextSet
from obvert.datasets import nanobeir, read
from obvert.metrics import average_precision
from obvert.tasks.retrieval import as_split

CORPUS = [("d1", "", "rings are red"), ("d2", "Stars", "some are blue"), ("q3", "", "a square is green"), ("d4", "", "noise")]
QUERIES = [("q1", "what is red"), ("q2", "not judged"), ("q3", "what is green"), ("q4", "judged to be irrelevant")]
QRELS = [("q1", "d1", 1), ("q1", "d2", 2), ("q3", "d4", 1), ("q4", "d1", 0), ("other split", "d1", 1)]


def jsonl(place: Path) -> None:
    (place / "qrels").mkdir(parents=True)
    lines = [json.dumps({"_id": name, "title": title, "text": text, "metadata": {}}) for name, title, text in CORPUS]
    (place / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    (place / "queries.jsonl").write_text("\n".join(json.dumps({"_id": name, "text": text}) for name, text in QUERIES))
    lines = [f"{query}\t{text}\t{score}" for query, text, score in QRELS]
    (place / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")


def shards(place: Path, *, scored: bool = True) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [dict(zip(("_id", "title", "text"), of, strict=True)) for of in CORPUS]
    parts = {"corpus": [rows[:3], rows[3:]], "queries": [[{"_id": name, "text": text} for name, text in QUERIES]]}
    judged = [{"query-id": query, "corpus-id": name, "score": score} for query, name, score in QRELS]
    if not scored:
        judged = [{key: of[key] for key in ("query-id", "corpus-id")} for of in judged if of["score"]]
        parts["corpus"] = [[{"_id": of["_id"], "text": f"{of['title']} {of['text']}".strip()} for of in rows]]
    for part, tables in (parts | {"qrels": [judged]}).items():
        (place / part).mkdir(parents=True)
        for i, table in enumerate(tables):
            pq.write_table(pa.Table.from_pylist(table), place / part / f"train-{i:05d}-of-{len(tables):05d}.parquet")


MADE = {"jsonl": jsonl, "scored shards": shards, "shards": lambda place: shards(place, scored=False)}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_judged_queries_search_the_corpus(make, tmp_path: Path) -> None:
    make(tmp_path / "NanoNQ")
    found = read("nanobeir/NanoNQ", tmp_path)
    assert isinstance(found, TextSet)
    assert found.texts[:3] == ["what is red", "what is green", "rings are red"]
    assert found.texts[3] == "Stars some are blue"
    assert (found.queries, found.gallery) == ([0, 1], [2, 3, 4, 5])
    assert (found.judged[""].relevant, found.judged[""].junk) == ([[2, 3], [5]], [[], [4]])  # q3 is left out of its own ranking
    features = torch.eye(6)[:, :5]
    collection = as_split(found, features)
    assert collection.places("") == ([[0, 1], [3]], [[], [2]])
    assert collection.modality == "text"


def test_thirteen_sets_are_known() -> None:
    assert len(nanobeir.VARIANTS) == 13
    with pytest.raises(ValueError, match="did you mean NanoNQ"):
        read("nanobeir/NanoNq", ".")


def test_a_search_of_judged_texts(clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jsonl(tmp_path / "NanoSciFact")
    command = ["retrieve", "--dataset", "nanobeir/NanoSciFact", "--root", str(tmp_path), "--by", "native,mean", "--json"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["features"]) for row in rows] == [("text-to-text", "native"), ("text-to-text", "mean")]
    assert (rows[0]["queries"], rows[0]["gallery"]) == (2, 4)
    data = read("nanobeir/NanoSciFact", tmp_path)
    assert isinstance(data, TextSet)
    features = clip.text_features(data.texts)
    scores = features[:2] @ features[2:].T
    scores[1, 2] = -torch.inf
    relevant = torch.tensor([[True, True, False, False], [False, False, False, True]])
    assert rows[0]["map"] == pytest.approx(average_precision(scores, relevant).mean().item())


def test_damaged_judgements_are_told(tmp_path: Path) -> None:
    place = tmp_path / "NanoNQ"
    with pytest.raises(ObvertError, match=r"need the folder .*NanoNQ, got nothing there"):
        read("nanobeir/NanoNQ", tmp_path)
    place.mkdir()
    with pytest.raises(ObvertError, match=r"need .*NanoNQ/corpus/ with \.parquet files or .*corpus\.jsonl, got neither"):
        read("nanobeir/NanoNQ", tmp_path)
    place.rmdir()
    jsonl(place)
    for file, content, told in (
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td9\t1\n", "got none of the name 'd9'"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1 d1 1\n", "query-id<TAB>corpus-id<TAB>score"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "need judgements of its queries, got none"),
        ("queries.jsonl", '{"_id": "q1"}', r"queries\.jsonl, line 1: need an object"),
        ("queries.jsonl", "[]", "line 1: need an object"),
        ("corpus.jsonl", "{", "line 1: need an object"),
    ):
        before = (place / file).read_text()
        (place / file).write_text(content)
        with pytest.raises(ObvertError, match=told):
            read("nanobeir/NanoNQ", tmp_path)
        (place / file).write_text(before)
    shutil.rmtree(place / "qrels")
    with pytest.raises(ObvertError, match=r"qrels/ with \.parquet files or .*test\.tsv, got neither"):
        read("nanobeir/NanoNQ", tmp_path)


def reviews(root: Path, count: int = 3) -> None:
    for part in ("train", "test"):
        for name, rating in (("pos", 9), ("neg", 2)):
            (root / "aclImdb" / part / name).mkdir(parents=True)
            for i in range(count):
                file = root / "aclImdb" / part / name / f"{i}_{rating}.txt"
                file.write_text(f"{part} {name} {i}.<br /><br />Seen twice.\n")
    (root / "aclImdb" / "train" / "unsup").mkdir()


def test_reviews_search_reviews(tmp_path: Path) -> None:
    with pytest.raises(ObvertError, match=r"need the folder .*aclImdb/test/neg"):
        read("imdb", tmp_path)
    reviews(tmp_path, 11)
    found = read("imdb", tmp_path)
    assert isinstance(found, TextSet)
    assert found.queries == list(range(22))
    assert found.gallery == list(range(22, 44))
    assert found.groups == ([0] * 11 + [1] * 11) * 2
    assert found.texts[0] == "test neg 0. Seen twice."
    assert [text.split()[2] for text in found.texts[:11]] == [f"{i}." for i in range(11)]  # by number, 10 after 9
    shutil.rmtree(tmp_path / "aclImdb" / "train" / "pos")
    (tmp_path / "aclImdb" / "train" / "pos").mkdir()
    with pytest.raises(ObvertError, match=r"need reviews .*train/pos/NUMBER_RATING\.txt, got none"):
        read("imdb", tmp_path)


def test_the_small_variant_is_spread_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from obvert.datasets import imdb

    monkeypatch.setattr(imdb, "SMALL", 3)
    reviews(tmp_path, 10)
    found = read("imdb/small", tmp_path)
    assert isinstance(found, TextSet)
    assert [text.split()[2] for text in found.texts] == ["0.", "3.", "6."] * 4
    assert (found.queries, found.gallery) == (list(range(6)), list(range(6, 12)))


def test_posts_search_posts_without_their_headers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ObvertError, match=r"need the folder .*20news-bydate-test, got nothing there"):
        read("newsgroups", tmp_path)
    for part, group, number, body in (
        ("test", "sci.space", "62315", "To the moon.\n\nAnd back."),
        ("test", "rec.autos", "103", "R\xe4der"),
        ("train", "rec.autos", "7", "Wheels"),
        ("train", "sci.space", "60000", "Rockets"),
        ("train", "sci.space", "60001", ""),
    ):
        file = tmp_path / f"20news-bydate-{part}" / group / number
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"From: a@b\nNewsgroups: {group}\n\n{body}\n".encode("latin-1"))
    found = read("newsgroups", tmp_path)
    assert isinstance(found, TextSet)
    assert found.texts == ["Räder", "To the moon.\n\nAnd back.", "Wheels", "Rockets", ""]
    assert found.groups == [0, 1, 0, 1, 1]
    assert (found.queries, found.gallery) == ([0, 1], [2, 3, 4])
    command = ["retrieve", "--dataset", "newsgroups", "--root", str(tmp_path), "--by", "native,mean", "--json"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert (rows[0]["queries"], rows[0]["gallery"], rows[0]["undefined_queries"]) == (2, 3, 0)
    shutil.rmtree(tmp_path / "20news-bydate-train" / "rec.autos")
    shutil.rmtree(tmp_path / "20news-bydate-train" / "sci.space")
    with pytest.raises(ObvertError, match=r"need posts .*20news-bydate-train/GROUP/NUMBER, got none"):
        read("newsgroups", tmp_path)
