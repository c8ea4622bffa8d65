"""What `obvert oti` and `obvert ovi` share: encode, invert in pieces that survive, save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from torch import Tensor

from obvert.commands._common import bars, say, show
from obvert.core import DualEncoder, ObvertError, Status
from obvert.solvers.plateau import Plateau
from obvert.store import save, taken


def invert(options: Any, features: Callable[[DualEncoder], tuple[list[str], Tensor]]) -> int:
    """Invert what the features callback gives.

    Args:
        options: of the command; its method, seed, out, overwrite, json and plateau are read.
        features: model -> names of the inputs and their features (B, d).

    Returns:
        The exit code: 0, or 1 when a sample's numbers stopped being finite.

    Raises:
        ObvertError: when there is nothing to invert, or the output folder holds something.
    """
    taken(options.out, overwrite=options.overwrite)
    model = options.load()
    names, wanted = features(model)
    if not names:
        raise ObvertError("need at least one input to invert, got none")
    method = replace(options.method, stop=Plateau()) if options.plateau else options.method
    with bars(options.json) as bar:
        inversion = method(model, wanted, seed=options.seed, progress=bar(type(method).__name__))
    inversion = replace(inversion, settings={**asdict(method), "inputs": names})
    save(inversion, options.out, overwrite=options.overwrite)
    rows = [
        {"task": inversion.method, "input": name, "error": error, "steps": int(steps), "status": Status(int(status)).name.lower()}
        for name, error, steps, status in zip(names, inversion.error.tolist(), inversion.steps, inversion.status, strict=True)
    ]
    show(rows, as_json=options.json)
    say(f"{len(names)} inverted in {inversion.seconds:.1f} s; saved in {options.out}", options.json)
    return int((inversion.status == int(Status.NON_FINITE)).any())
