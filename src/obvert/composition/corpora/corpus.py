"""A corpus of captions as hashes on disk: who shares a bag of words, and who its order, for millions in bounded memory.

Of a caption three hashes are kept: of its words in their order, of its bag (the words sorted), and of its picture. They are
written to files by the first byte of the bag's hash. Captions of one bag meet in one file, so each file is counted
alone, and what is counted adds up. No text is kept but for a small even sample.

References:
    | Application of hash to data base machine and its architecture (Kitsuregawa et al., 1983), for partitioning by hash
    | https://doi.org/10.1007/BF03037022
    | Random sampling with a reservoir (Vitter, 1985), https://doi.org/10.1145/3147.3165
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np

from obvert.composition.text.lexicon import DETERMINERS, FUNCTION, TYPES
from obvert.composition.text.words import words
from obvert.core import ObvertError

RECORD = np.dtype([("bag", "<u8", 2), ("sequence", "<u8", 2), ("picture", "<u8")])
"""What is kept of a caption: two hashes of 128 bits and one of 64."""
FILES = 256
CHUNK = 1 << 15
"""Captions read before they are written to the files."""
ENGLISH = frozenset(word for phrase in (*FUNCTION, *DETERMINERS, *TYPES) for word in phrase.split())


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What was met while a corpus was read."""

    captions: int
    """That hold a word; all counts but `empty` are of these."""
    empty: int
    """Without a word; left out."""
    long: int
    """With more words than a text tower has positions for; kept whole here, cut by the tower."""
    foreign: int
    """With a letter that English does not write."""
    unread: int
    """Of three words or more, none of them on the lists of English words that operators know."""
    words: int
    known: int
    """Of the words, those on the lists."""
    grouped: bool
    """Whether the captions say which picture they are of."""
    sample: tuple[tuple[int, str], ...]
    """(hash of its picture, caption) drawn evenly among all captions, in the order in which they came."""


@dataclass(frozen=True, kw_only=True)
class Tallies:
    """How often captions repeat each other."""

    captions: int
    sequences: Counter[int]
    """{times a sequence of words occurs: how many sequences do}."""
    bags: Counter[int]
    """{times a bag of words occurs: how many bags do}."""
    rivals: Counter[tuple[int, int]]
    """{(captions of other pictures with the same sequence, those with the same bag): how many captions have them}."""
    partners: int
    """Captions that have one of the same bag in another order."""


class Corpus:
    """The hashes of a corpus in a folder."""

    def __init__(self, folder: Path) -> None:
        """Begin an empty corpus.

        Args:
            folder: where the hashes go; it must be there.
        """
        self.folder = folder
        self._count = 0

    def read(self, captions: Iterable[tuple[str, str]], *, sample: int = 2000, context: int = 77, seed: int = 0) -> Intake:
        """Read the captions.

        Args:
            captions: (picture, caption) pairs, the picture "" where none is told: then it is one of its own.
            sample: captions of which the text is kept.
            context: positions of a text tower, its two end marks among them; longer captions are counted.
            seed: of the sample.

        Returns:
            What was met.

        Raises:
            ObvertError: when no caption holds a word.
        """
        met: Counter[str] = Counter()
        kept: list[tuple[int, int, str]] = []
        rng = np.random.default_rng(seed)
        stream = iter(captions)
        while chunk := list(islice(stream, CHUNK)):
            rows = []
            for picture, caption in chunk:
                said = words(caption)
                met["empty" if not said else "captions"] += 1
                if not said:
                    continue
                number = met["captions"] - 1
                met["long"] += len(said) + 2 > context
                met["foreign"] += not caption.isascii() and any(not c.isascii() for c in caption if c.isalpha())
                listed = sum(word in ENGLISH for word in said)
                met["unread"] += len(said) > 2 and not listed
                met["known"] += listed
                met["words"] += len(said)
                met["grouped"] += bool(picture)
                who = picture_hash(picture, number)
                rows.append((*hashes(said), who))
                slot = number if number < sample else int(rng.integers(number + 1))
                if slot < sample:
                    kept[slot : slot + 1] = [(number, who, caption)]
            self._write(np.array(rows, dtype=RECORD))
        if not met["captions"]:
            raise ObvertError(f"need captions with words in them, got {met['empty']} empty ones")
        self._count = met["captions"]
        return Intake(
            captions=met["captions"],
            empty=met["empty"],
            long=met["long"],
            foreign=met["foreign"],
            unread=met["unread"],
            words=met["words"],
            known=met["known"],
            grouped=met["grouped"] > 0,
            sample=tuple((who, caption) for _, who, caption in sorted(kept)),
        )

    def tallies(self) -> Tallies:
        """Count what repeats, file by file."""
        sequences, bags, rivals, partners = Counter[int](), Counter[int](), Counter[tuple[int, int]](), 0
        for rows in self._parts():
            bag, sequence, picture = rows["bag"].T, rows["sequence"].T, rows["picture"]
            alike = {name: repeats(*keys) for name, keys in (("bag", bag), ("sequence", sequence))}
            inside = {"bag": repeats(*bag, picture), "sequence": repeats(*sequence, picture)}
            for counter, name in ((sequences, "sequence"), (bags, "bag")):
                times, captions = np.unique(alike[name], return_counts=True)
                counter.update({int(t): int(n // t) for t, n in zip(times, captions, strict=True)})
            pairs = np.stack([alike[name] - inside[name] for name in ("sequence", "bag")])
            found, number = np.unique(pairs, axis=1, return_counts=True)
            rivals.update({(int(s), int(b)): int(n) for s, b, n in zip(*found, number, strict=True)})
            partners += int((alike["bag"] > alike["sequence"]).sum())
        return Tallies(captions=self._count, sequences=sequences, bags=bags, rivals=rivals, partners=partners)

    def holds(self, texts: Sequence[str], pictures: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """How many captions of other pictures read as texts do.

        Args:
            texts: what is looked for.
            pictures: of each text the hash of the picture that does not count, see `picture_hash`.

        Returns:
            (N,) captions with the same sequence of words, and (N,) with the same bag.
        """
        asked = np.array([(*hashes(words(t)), p) for t, p in zip(texts, pictures, strict=True)], dtype=RECORD)
        home = file_of(asked)
        found = np.zeros((2, len(asked)), dtype=np.int64)
        for number, rows in enumerate(self._parts(empty=True)):
            mine = np.flatnonzero(home == number)
            if not len(mine) or not len(rows):
                continue
            both = np.concatenate((rows, asked[mine]))
            there = np.arange(len(both)) < len(rows)
            for row, name in enumerate(("sequence", "bag")):
                keys = both[name].T
                counts = repeats(*keys, among=there) - repeats(*keys, both["picture"], among=there)
                found[row, mine] = counts[len(rows) :]
        return found[0], found[1]

    def _write(self, rows: np.ndarray) -> None:
        home = file_of(rows)
        order = np.argsort(home, kind="stable")
        edges = np.searchsorted(home[order], np.arange(FILES + 1))
        for number in range(FILES):
            if edges[number] < edges[number + 1]:
                with (self.folder / f"{number:03}").open("ab") as file:
                    file.write(rows[order[edges[number] : edges[number + 1]]].tobytes())

    def _parts(self, *, empty: bool = False) -> Iterator[np.ndarray]:
        for number in range(FILES):
            path = self.folder / f"{number:03}"
            if path.exists():
                yield np.fromfile(path, dtype=RECORD)
            elif empty:
                yield np.empty(0, dtype=RECORD)


def hashes(said: Sequence[str]) -> tuple[tuple[int, int], tuple[int, int]]:
    """128-bit hashes of the bag and of the sequence of words, in two halves each."""
    return _hash(" ".join(sorted(said))), _hash(" ".join(said))


def picture_hash(picture: str, number: int) -> int:
    """64-bit hash of a picture's name; where it has none, the number of the caption stands for it."""
    return _hash(picture or f"\0{number}")[0]


def file_of(rows: np.ndarray) -> np.ndarray:
    """Which file each record belongs to."""
    return (rows["bag"][:, 0] % FILES).astype(np.int64)


def repeats(*keys: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """How often each row's keys occur.

    Args:
        keys: (N,) each.
        among: (N,) the rows that count; all when None.

    Returns:
        (N,) counts.
    """
    order = np.lexsort(keys)
    new = np.zeros(len(order), dtype=bool)
    for key in keys:
        new[1:] |= key[order][1:] != key[order][:-1]
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(new)
    return np.bincount(group if among is None else group[among], minlength=len(order))[group]


def _hash(text: str) -> tuple[int, int]:
    digest = blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
