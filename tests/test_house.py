"""The house rules that a file can break by itself."""

from __future__ import annotations

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


def test_no_pickle_and_no_remote_code() -> None:
    for file in SOURCE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "pickle.load" not in text
        assert "import pickle" not in text or file == RESTRICTED
        assert "trust_remote_code" not in text
        assert "torch.load(" not in text


def test_no_embedded_model_tells_where_it_was_made() -> None:
    files = sorted((SOURCE / "zoo" / "weights").rglob("*.json"))
    assert files
    assert [file.name for file in files if '"_name_or_path": "/' in file.read_text(encoding="utf-8")] == []
