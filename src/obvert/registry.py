"""Names of what obvert holds: a file's stem, with dashes, is its name everywhere.

`names(kind)` lists them without importing any; `find(kind, name)` imports one. Plug-ins join through the entry-point
group "obvert.plugins" with names like "methods.my-method" that point at a module.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

KINDS = {
    "methods": "Method",
    "features": "FeatureMap",
    "solvers": "Solver",
    "objectives": "Objective",
    "parametrisations": "Parametrisation",
    "views": "View",
    "watermarks": "Watermark",
    "tasks": "",
    "models": "",
    "datasets": "",
    "contrasts": "",
    "media": "",
}
"""Each kind and the noun of `obvert.core` that its files implement ("" where a file is used as a module)."""
SUPPORT = {"solvers": {"iterate", "plateau", "residual-rate"}}


def names(kind: str) -> list[str]:
    """Names of everything of a kind, sorted, without importing any of it.

    Args:
        kind: a key of `KINDS`.

    Returns:
        File stems with dashes for underscores, plug-ins included.

    Raises:
        ValueError: for an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(unknown("kind", kind, list(KINDS)))
    folder = Path(__file__).parent / kind
    own = {p.stem.replace("_", "-") for p in folder.glob("*.py") if not p.stem.startswith("_")} - SUPPORT.get(kind, set())
    return sorted(own | set(_plugins(kind)))


def module(kind: str, name: str) -> ModuleType:
    """Import the file of that name.

    Args:
        kind: a key of `KINDS`.
        name: as `names` gives it.

    Returns:
        The module.

    Raises:
        ValueError: for an unknown name; near misses are named.
    """
    if name not in names(kind):
        raise ValueError(unknown(kind.removesuffix("s"), name, names(kind)))
    plugins = _plugins(kind)
    return importlib.import_module(plugins.get(name, f"obvert.{kind}.{name.replace('-', '_')}"))


def find(kind: str, name: str) -> Any:
    """The class that a file implements: the one in it that derives from the kind's noun.

    Args:
        kind: a kind whose files implement a noun.
        name: as `names` gives it.

    Returns:
        The class.

    Raises:
        ValueError: for an unknown name.
    """
    from obvert import core

    file, noun = module(kind, name), getattr(core, KINDS[kind])
    (found,) = (
        c
        for c in vars(file).values()
        if inspect.isclass(c) and issubclass(c, noun) and c.__module__ == file.__name__ and c is not noun
    )
    return found


def unknown(what: str, name: str, known: list[str]) -> str:
    """One line for an unknown name: near misses first, everything otherwise."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"unknown {what} {name!r}; " + (f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(known)}")


def _plugins(kind: str) -> dict[str, str]:
    found = entry_points(group="obvert.plugins")
    return {e.name.removeprefix(f"{kind}."): e.value for e in found if e.name.startswith(f"{kind}.")}
