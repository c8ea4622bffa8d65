"""What a result depends on besides its settings."""

from __future__ import annotations

import platform
from importlib.metadata import version

from obvert import __version__


def versions() -> dict[str, str]:
    """Versions of Python, obvert and the libraries that do the arithmetic."""
    return {
        "python": platform.python_version(),
        "obvert": __version__,
        **{package: version(package) for package in ("torch", "transformers", "numpy", "pillow")},
    }
