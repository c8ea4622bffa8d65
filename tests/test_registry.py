"""Names: found without importing, every one of them resolved, and near misses told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from obvert import core
from obvert.registry import KINDS, find, module, names, unknown


def test_names_import_nothing_heavy() -> None:
    code = """
import sys, obvert, obvert.registry as registry
assert {"oti", "ovi", "decoder-inversion"} <= set(registry.names("methods")), registry.names("methods")
for kind in registry.KINDS:
    assert registry.names(kind)
heavy = {"torch", "transformers", "numpy", "sklearn", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_file_is_its_name() -> None:
    assert names("features") == ["inverter", "isoclip", "mean", "text-pca"]
    assert {"adam", "anderson", "forward", "inertial-km"} <= set(names("solvers"))
    assert not {"iterate", "plateau", "residual-rate"} & set(names("solvers"))
    assert "open-clip" in names("models")
    assert not [name for kind in KINDS for name in names(kind) if name.startswith("-") or "_" in name]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS if KINDS[kind] for name in names(kind)])
def test_every_name_leads_to_its_class(kind: str, name: str) -> None:
    found = find(kind, name)
    assert issubclass(found, getattr(core, KINDS[kind]))
    assert found.__module__ == module(kind, name).__name__ == f"obvert.{kind}.{name.replace('-', '_')}"
    assert found.__doc__


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("methods", "oty", "unknown method 'oty'; did you mean .*oti"),
        ("features", "text_pca", "did you mean text-pca"),
        ("solvers", "iterate", "unknown solver 'iterate'; .*adam, sgd"),
        ("methods", "_features", "unknown method"),
        ("metods", "oti", "unknown kind 'metods'; did you mean methods"),
    ],
)
def test_near_misses_are_told(kind: str, name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        find(kind, name)


def test_without_a_near_miss_everything_is_told() -> None:
    assert unknown("fruit", "xyz", ["apple", "pear"]) == "unknown fruit 'xyz'; there are apple, pear"
