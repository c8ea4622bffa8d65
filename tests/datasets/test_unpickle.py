"""The restricted reader: plain data comes back whole, and nothing of a hostile file runs."""

from __future__ import annotations

import os
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from obvert.core import ObvertError
from obvert.datasets._unpickle import unpickle

DATA = {
    "imlist": ["all_souls_000013", "été"],
    "gnd": [
        {"easy": np.array([3, 1, 2]), "hard": [], "bbx": np.array([1.5, 2, 3, 4.25]), "of": np.float32(0.5)},
        {"easy": np.array([], dtype=int), "hard": np.arange(6, dtype=">i4").reshape(2, 3), "bbx": (1, 2.0), "of": np.int16(-3)},
        {"names": np.array(["a", "bc"]), "turned": np.asfortranarray(np.arange(6).reshape(2, 3)), "set": {1, 2}},
        OrderedDict(a=np.array([True, False]), b=b"\x00\xff"),
    ],
}
PLAIN = {
    "imlist": ["all_souls_000013", "été"],
    "gnd": [
        {"easy": [3, 1, 2], "hard": [], "bbx": [1.5, 2, 3, 4.25], "of": 0.5},
        {"easy": [], "hard": [[0, 1, 2], [3, 4, 5]], "bbx": (1, 2.0), "of": -3},
        {"names": ["a", "bc"], "turned": [[0, 1, 2], [3, 4, 5]], "set": {1, 2}},
        {"a": [True, False], "b": b"\x00\xff"},
    ],
}
PYTHON_2 = (  # what Python 2 with an old numpy writes at protocol 2: texts are latin-1 byte strings, and so are arrays
    b"\x80\x02}q\x00(U\x06imlistq\x01]q\x02U\x03\xe9t\xe9aU\x04easyq\x03cnumpy.core.multiarray\n_reconstruct\nq\x04"
    b"cnumpy\nndarray\nq\x05K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02i8K\x00K\x01\x87R"
    b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10\x05\0\0\0\0\0\0\0\xc8\0\0\0\0\0\0\0tb"
    b"U\x01nc__builtin__\nset\n]K\x07a\x85Ru."
)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_back(protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "a.pkl"
    file.write_bytes(pickle.dumps(DATA, protocol=protocol))
    assert unpickle(file) == PLAIN


@pytest.mark.parametrize("protocol", [2, 4])
def test_both_homes_of_numpy_are_known(protocol: int, tmp_path: Path) -> None:
    written = pickle.dumps(np.arange(3), protocol=2)
    for home in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        (tmp_path / "a.pkl").write_bytes(written.replace(b"numpy._core.multiarray", home).replace(b"numpy.core.multiarray", home))
        assert unpickle(tmp_path / "a.pkl") == [0, 1, 2]


def test_python_2_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(PYTHON_2)
    assert unpickle(tmp_path / "a.pkl") == {"imlist": ["été"], "easy": [5, 200], "n": {7}}


class Hostile:
    """Calls something when it is read."""

    def __init__(self, call: object, *args: object) -> None:
        self.call = call, args

    def __reduce__(self) -> tuple:
        return self.call  # type: ignore[return-value]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_of_a_hostile_file_runs(protocol: int, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    for thing in (
        Hostile(os.system, f"touch {trace}"),
        Hostile(eval, f"open({str(trace)!r}, 'w')"),
        Hostile(getattr, "x", "upper"),
        Hostile(np.load, str(trace)),
        Hostile(np.ndarray, (2,), np.dtype(object)),
        np.array([Hostile(os.system, f"touch {trace}")], dtype=object),
        {"gnd": [{"easy": Path(trace)}]},
    ):
        file = tmp_path / "a.pkl"
        file.write_bytes(pickle.dumps({"imlist": [thing]}, protocol=protocol))
        with pytest.raises(ObvertError, match=r"a\.pkl: need .* got") as caught:
            unpickle(file)
        assert "\n" not in str(caught.value)
        assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "got os.system; nothing of it was run"),
        (b"(ios\nsystem\n.", "got os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x10list.__class__.x\x93.", "got builtins.list.__class__.x"),
        (b"\x80\x04\x8c\x01a\x8c\x03b\nc\x93.", "got a.b\\\\nc"),
        (b"Pplace\n.", "reference outside"),
        (b"\x80\x02]r\xff\xff\xff\x7f.", "a memo of 2,147,483,647 places"),
        (b"c_codecs\nencode\n(Vx\nVzip\ntR.", "_codecs.encode to 'zip'"),
        (b"cnumpy\ndtype\n(VO\ntR.", "an array of 'O'"),
        (b"", "damaged one"),
        (b"\x80\x02]q", "damaged one"),
        (pickle.dumps(np.arange(9), protocol=4)[:-30], "damaged one"),
        (b"\x82\x01.", "damaged one"),
    ],
)
def test_what_is_refused_is_named(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(ObvertError, match=told.replace(".", r"\.").replace("(", r"\(")):
        unpickle(tmp_path / "a.pkl")
    with pytest.raises(ObvertError, match=r"need .*b\.pkl, got No such file"):
        unpickle(tmp_path / "b.pkl")


def test_an_array_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    written = pickle.dumps(np.arange(4, dtype="<i8"), protocol=2)
    (place,) = (at for op, value, at in pickletools.genops(written) if op.name == "BININT1" and value == 4)
    (tmp_path / "a.pkl").write_bytes(written[:place] + b"K\x09" + written[place + 2 :])
    with pytest.raises(ObvertError, match="cannot reshape"):
        unpickle(tmp_path / "a.pkl")


def test_any_damage_is_one_line(tmp_path: Path) -> None:
    """Bytes changed at random: plain data or an ObvertError, whatever they say."""
    rng = np.random.default_rng(0)
    written = pickle.dumps(DATA, protocol=2)
    told = []
    for _ in range(300):
        damaged = np.frombuffer(written, np.uint8).copy()
        damaged[rng.integers(0, len(damaged), 4)] = rng.integers(0, 256, 4)
        (tmp_path / "a.pkl").write_bytes(damaged.tobytes())
        try:
            unpickle(tmp_path / "a.pkl")
        except ObvertError as error:
            told.append(str(error))
    assert len(told) > 100
    assert not any("\n" in line for line in told)
