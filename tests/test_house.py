"""The house rules that a file can break by itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "obvert"


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_files_are_short_and_say_what_they_are_for(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert not text or text.startswith('"""')


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_tests_and_benchmarks_are_short_too(folder: str) -> None:
    files = sorted((SOURCE.parents[1] / folder).rglob("*.py"))
    assert files
    assert [file.name for file in files if len(file.read_text(encoding="utf-8").splitlines()) > 300] == []


RESTRICTED = SOURCE / "datasets" / "_unpickle.py"
"""The one reader of pickles: published ground truths, by an allow-list of plain data."""


PICKLES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def imported(text: str) -> set[str]:
    """The packages that a file imports, wherever in it and however it is said."""
    nodes = list(ast.walk(ast.parse(text)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.split(".")[0] for name in plain | parts}


def test_imports_are_found_however_they_are_said() -> None:
    assert imported("import pickle as p") == imported("def f():\n    from pickle import loads") == {"pickle"}
    assert imported("from . import pickle") == set()


def test_no_pickle_and_no_remote_code() -> None:
    for file in SOURCE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not PICKLES & imported(text) or file == RESTRICTED
        assert "allow_pickle=True" not in text
        assert "pickle.load" not in text  # in RESTRICTED, too
        assert "trust_remote_code" not in text
        assert "torch.load(" not in text


def test_no_embedded_model_tells_where_it_was_made() -> None:
    files = sorted((SOURCE / "zoo" / "weights").rglob("*.json"))
    assert files
    assert [file.name for file in files if '"_name_or_path": "/' in file.read_text(encoding="utf-8")] == []
