"""The command line: finds the command, runs it, turns errors into one line and an exit code.

Exit codes: 0 done, 1 an unexpected error, 2 something the user can put right, 130 interrupted.
The list of commands is read from their files' first lines, so that `obvert --help` imports nothing heavy.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
import warnings
from pathlib import Path

DEBUG = "OBVERT_DEBUG"
"""Environment variable; when set, errors show where they came from."""


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: arguments after the program's name; those of the process when None.

    Returns:
        The exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return 0
    if argv[0] == "--version":
        from obvert import __version__

        print(__version__)
        return 0
    name, rest = argv[0], argv[1:]
    if name not in commands():
        from obvert.registry import unknown

        return fail(unknown("command", name, list(commands())))
    warnings.showwarning = lambda message, *rest: print(f"obvert: warning: {message}", file=sys.stderr)
    try:
        return importlib.import_module(f"obvert.commands.{name.replace('-', '_')}").run(rest)
    except KeyboardInterrupt:
        print(
            "obvert: interrupted; nothing is left half-written. A command whose --help says so goes on where it stopped",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        if isinstance(error, ValueError):
            return fail(one_line(error))
        return fail(f"unexpected {type(error).__name__}: {one_line(error)} ({DEBUG}=1 shows where)", 1)


def fail(message: str, code: int = 2) -> int:
    """Say what went wrong in one line."""
    print(f"obvert: {message}", file=sys.stderr)
    return code


def one_line(error: BaseException) -> str:
    """An error's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def commands() -> dict[str, str]:
    """Each command and the first line of its file."""
    files = sorted((Path(__file__).parent / "commands").glob("[!_]*.py"))
    return {
        file.stem.replace("_", "-"): (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n")[0]
        for file in files
    }


def overview() -> str:
    """The top-level help."""
    lines = [f"  {name:<14} {line}" for name, line in commands().items()]
    return "\n".join(
        (
            "usage: obvert COMMAND [OPTIONS]",
            "",
            "Invert frozen multimodal models: find the input for a wanted output, and put it to use.",
            "",
            *lines,
            "",
            "obvert COMMAND --help tells a command's options; obvert demo --out DIR is a good start and needs no network.",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
