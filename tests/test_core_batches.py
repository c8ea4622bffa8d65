"""Work by batches that are halved where memory does not suffice."""

from __future__ import annotations

import pytest
import torch

from obvert.core import ObvertError
from obvert.core.batches import by_batches


def test_all_rows_come_in_order_with_how_far_it_is() -> None:
    found, fitted = by_batches(lambda rows, done, total: (rows.start, rows.stop, done, total), 7, 3, what="rows")
    assert found == [(0, 3, 0, 3), (3, 6, 1, 3), (6, 7, 2, 3)]
    assert fitted == 3


def test_no_rows_are_one_empty_batch() -> None:
    assert by_batches(lambda rows, done, total: (rows.start, rows.stop, total), 0, 4, what="rows") == ([(0, 0, 1)], 4)


def test_memory_that_runs_out_halves_the_batch_from_there_on_and_says_so_where_it_was_called() -> None:
    def run(rows: slice, done: int, total: int) -> list[int]:
        if rows.stop - rows.start > 2 and rows.start > 0:
            raise torch.OutOfMemoryError("no")
        return list(range(rows.start, rows.stop))

    with pytest.warns(UserWarning, match="out of memory; going on with 2 pictures at once") as said:
        found, fitted = by_batches(run, 11, 5, what="pictures")
    assert found == [[0, 1, 2, 3, 4], [5, 6], [7, 8], [9, 10]]
    assert fitted == 2
    assert [warning.filename for warning in said] == [__file__]


def test_too_little_memory_for_one_is_one_line_and_other_errors_pass() -> None:
    def run(rows: slice, done: int, total: int) -> None:
        raise torch.OutOfMemoryError("no")

    with pytest.raises(ObvertError, match="out of memory even with one of the sounds; cut them"):
        by_batches(run, 3, 1, what="sounds", instead="cut them")
    with pytest.raises(ZeroDivisionError):
        by_batches(lambda rows, done, total: 1 // 0, 1, 1, what="rows")
