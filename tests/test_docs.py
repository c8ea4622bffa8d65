"""What the documents show: every command line has its options, every piece of Python its names and arguments."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from obvert.cli import commands, main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [(page.name, block) for page in PAGES for block in re.findall(r"```(\w*\n.*?)```", page.read_text(), re.S)]
LINES = sorted(
    {
        line.split(" #")[0].strip()
        for _, block in BLOCKS
        if not block.startswith("python")
        for line in block.splitlines()
        if line.startswith("obvert ")
    }
)
PYTHON = [(name, block.split("\n", 1)[1]) for name, block in BLOCKS if block.startswith("python")]


class Parsed(BaseException):
    """The options were read; nothing is run."""


def test_the_documents_show_something() -> None:
    assert len(LINES) > 30
    assert len(PYTHON) > 8


@pytest.mark.parametrize("line", LINES)
def test_command_lines_are_understood(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    name, *rest = shlex.split(line)[1:]
    assert name in commands()
    module = importlib.import_module(f"obvert.commands.{name.replace('-', '_')}")
    parse = module.parse

    def stop(*given: Any) -> None:
        parse(*given)
        raise Parsed

    monkeypatch.setattr(module, "parse", stop)
    with pytest.raises(Parsed):
        pytest.fail(f"exit code {main([name, *rest])}: {capsys.readouterr().err}")


@pytest.mark.parametrize(("page", "code"), PYTHON)
def test_names_and_arguments_are_there(page: str, code: str) -> None:
    tree = ast.parse(code)
    known: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and not (
            isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ):
            exec(compile(ast.Module([node], []), page, "exec"), known)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            named(node, known)
        if isinstance(node, ast.Call) and (called := named(node.func, known)) is not None and ours(called):
            told = [keyword.arg for keyword in node.keywords if keyword.arg]
            parameters = inspect.signature(called).parameters.values()
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                assert set(told) <= {p.name for p in parameters}, ast.unparse(node)


def ours(called: Any) -> bool:
    """Whether the project wrote its signature."""
    made = called.__init__ if isinstance(called, type) else called
    return inspect.isfunction(made) and called.__module__.startswith("obvert")


def named(node: ast.expr, known: dict[str, Any]) -> Any:
    """What a dotted name stands for, None where it starts with a variable."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute) and (base := named(node.value, known)) is not None:
        return getattr(base, node.attr)
    return None
