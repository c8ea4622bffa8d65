"""Work by batches, smaller ones where memory does not suffice."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

import torch

from obvert.core.search import ObvertError

T = TypeVar("T")


def by_batches(
    run: Callable[[slice, int, int], T], count: int, batch: int, *, what: str, instead: str = "", stacklevel: int = 2
) -> tuple[list[T], int]:
    """Run a function on all rows, so many at once; where memory does not suffice, halve that, say so and go on.

    Args:
        run: called with (rows, batches done, batches in all as far as is known); once, with no rows, where there are none.
        count: of rows.
        batch: rows at once, at least 1.
        what: of rows, for messages, e.g. "pictures".
        instead: what to try where a single row is too much, e.g. "try precision='fp16'".
        stacklevel: of the warning; 2 names who called this function.

    Returns:
        What `run` gave for each batch, and how many rows fitted.

    Raises:
        ObvertError: where not even one row fits.
    """
    found: list[T] = []
    done = 0
    while done < count or not found:
        total = max(1, -(-(count - done) // batch)) + len(found)
        try:
            found.append(run(slice(done, min(done + batch, count)), len(found), total))
        except torch.OutOfMemoryError:
            if batch == 1:
                raise ObvertError(f"out of memory even with one of the {what}{'; ' if instead else ''}{instead}") from None
            batch = max(1, batch // 2)
            warnings.warn(f"out of memory; going on with {batch} {what} at once", stacklevel=stacklevel)
            torch.cuda.empty_cache()
            continue
        done += batch
    return found, batch
