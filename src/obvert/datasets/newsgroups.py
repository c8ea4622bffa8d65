"""20 newsgroups, sorted by date: test posts search the training posts; relevant are those of the same group.

Layout: ROOT/20news-bydate-{train,test}/GROUP/NUMBER. Headers, up to the first empty line, are removed, for they name the
group; quotes and signatures stay.

References:
    | NewsWeeder: Learning to Filter Netnews (Lang, 1995)
    | http://qwone.com/~jason/20Newsgroups
"""

from __future__ import annotations

from pathlib import Path

from obvert.core import ObvertError, TextSet
from obvert.datasets._files import folder

VARIANTS: tuple[str, ...] = ()


def read(root: Path, variant: str = "") -> TextSet:
    """Read the posts; ObvertError names a missing folder or file."""
    asked, searched = (_posts(root / f"20news-bydate-{part}") for part in ("test", "train"))
    both = [*asked, *searched]
    index = {group: i for i, group in enumerate(sorted({group for _, group in both}))}
    return TextSet(
        texts=[post for post, _ in both],
        groups=[index[group] for _, group in both],
        queries=list(range(len(asked))),
        gallery=list(range(len(asked), len(both))),
    )


def _posts(place: Path) -> list[tuple[str, str]]:
    """(body, group) of every post, sorted by their paths."""
    files = [file for file in sorted(folder(place).glob("*/*")) if file.is_file() and not file.name.startswith(".")]
    if not files:
        raise ObvertError(f"need posts {place}/GROUP/NUMBER, got none")
    try:
        return [(_body(file.read_bytes().decode("latin-1")), file.parent.name) for file in files]
    except OSError as error:
        raise ObvertError(f"need posts {place}/GROUP/NUMBER, got {error.strerror}") from error


def _body(post: str) -> str:
    return post.replace("\r\n", "\n").partition("\n\n")[2].strip()
