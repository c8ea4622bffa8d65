"""NanoBEIR: 50 queries search about 5,000 texts; what is relevant the judgements (qrels) list.

Layouts, of NanoBEIR as on the hub: ROOT/NAME/{corpus,queries,qrels}/*.parquet with columns _id and text, and query-id and
corpus-id. Of any BEIR data set under one of these names: ROOT/NAME/{corpus.jsonl, queries.jsonl, qrels/test.tsv}. A title
is put before its text; queries without a judgement do not search; judgements of score 0 and below are not relevant; a text
of the query's own name (ArguAna) is left out of its ranking.

References:
    | BEIR: A Heterogenous Benchmark for Zero-shot Evaluation of Information Retrieval Models (Thakur et al., 2021)
    | https://arxiv.org/abs/2104.08663
    | NanoBEIR: https://huggingface.co/collections/zeta-alpha-ai/nanobeir-66e1a0af21dfd93e620cd9f6
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from obvert.core import Judged, ObvertError, TextSet
from obvert.datasets._files import folder, text
from obvert.datasets._tables import find_tables, read_columns, schema_of

VARIANTS = (
    "NanoArguAna",
    "NanoClimateFEVER",
    "NanoDBPedia",
    "NanoFEVER",
    "NanoFiQA2018",
    "NanoHotpotQA",
    "NanoMSMARCO",
    "NanoNFCorpus",
    "NanoNQ",
    "NanoQuoraRetrieval",
    "NanoSCIDOCS",
    "NanoSciFact",
    "NanoTouche2020",
)


def read(root: Path, variant: str) -> TextSet:
    """Read the texts; ObvertError names a missing or damaged file."""
    place = folder(root / variant)
    corpus, queries = (_texts(place, part) for part in ("corpus", "queries"))
    relevant: dict[str, set[str]] = {}
    for query, found, score in _judgements(place):
        if query in queries and score > 0:
            relevant.setdefault(query, set()).add(found)
    if strange := [found for mine in relevant.values() for found in mine if found not in corpus]:
        raise ObvertError(f"{place}: need every judged text in the corpus, got none of the name {strange[0]!r}")
    if not relevant:
        raise ObvertError(f"{place}: need judgements of its queries, got none")
    asked = [query for query in queries if query in relevant]
    row = {name: len(asked) + i for i, name in enumerate(corpus)}
    count = len(asked) + len(corpus)
    return TextSet(
        texts=[*(queries[query] for query in asked), *corpus.values()],
        groups=list(range(count)),
        queries=list(range(len(asked))),
        gallery=list(range(len(asked), count)),
        judged={
            "": Judged(
                relevant=[sorted(row[name] for name in relevant[query]) for query in asked],
                junk=[[row[query]] if query in row and query not in relevant[query] else [] for query in asked],
            )
        },
    )


def _texts(place: Path, part: str) -> dict[str, str]:
    """{name: title and text} of the corpus or of the queries."""
    lines = place / f"{part}.jsonl"
    if lines.exists():
        entries = [_entry(line, lines, i) for i, line in enumerate(text(lines).split("\n"), 1) if line.strip()]
    else:
        entries = []
        for file in _tables(place, part, f"{part}.jsonl"):
            names = ["_id", "text", *({"title"} & set(schema_of(file).names))]
            columns = read_columns(file, names)
            entries += [dict(zip(names, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return {str(of["_id"]): f"{of.get('title') or ''} {of['text'] or ''}".strip() for of in entries}


def _judgements(place: Path) -> list[tuple[str, str, float]]:
    """(query, text, score) triples."""
    file = place / "qrels" / "test.tsv"
    if not file.exists():
        found: list[tuple[str, str, float]] = []
        for table in _tables(place, "qrels", "qrels/test.tsv"):
            scored = "score" in schema_of(table).names
            columns = read_columns(table, ["query-id", "corpus-id", *["score"] * scored])
            scores = columns.get("score", [1.0] * len(columns["query-id"]))
            rows = zip(columns["query-id"], columns["corpus-id"], scores, strict=True)
            found += [(str(query), str(name), float(score or 0)) for query, name, score in rows]
        return found
    lines = [line.rstrip("\r").split("\t") for line in text(file).split("\n") if line.strip()]
    try:
        return [(query, name, float(score)) for query, name, score in lines[1:]]
    except ValueError as error:
        raise ObvertError(f"{file}: need lines query-id<TAB>corpus-id<TAB>score below a heading, got {error}") from error


def _tables(place: Path, part: str, other: str) -> list[Path]:
    if not (place / part).is_dir():
        raise ObvertError(f"need {place / part}/ with .parquet files or {place / other}, got neither")
    return find_tables(place / part)


def _entry(line: str, file: Path, number: int) -> dict[str, Any]:
    try:
        entry = json.loads(line)
        return {"_id": entry["_id"], "title": entry.get("title"), "text": entry["text"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ObvertError(f'{file}, line {number}: need an object with "_id" and "text", got {line[:60]!r}') from error
