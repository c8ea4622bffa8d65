"""Going through a large table of pictures holds a group of its rows, not the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
MEMORY = """
import sys
from pathlib import Path
from obvert.datasets import read

def peak():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line) / 2**10

found = read("parquet", sys.argv[1])
found.paths[0].fetch()
before = peak()
for row in found.paths:
    assert len(row.fetch()) == 100_000
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the high-water mark of Linux")
def test_memory_is_that_of_a_group_of_rows(tmp_path: Path) -> None:
    """100 MB of pictures in groups of 50: going through them adds less than half of it."""
    noise = np.random.default_rng(0)
    cells = pa.array([{"bytes": noise.bytes(100_000), "path": None} for _ in range(1000)], IMAGE)
    pq.write_table(pa.table({"image": cells, "label": [0] * 1000}), tmp_path / "a.parquet", row_group_size=50)
    out = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path / "a.parquet")], capture_output=True, text=True, check=True)
    assert float(out.stdout) < 40
