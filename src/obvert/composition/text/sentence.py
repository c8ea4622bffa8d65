"""A sentence and its atoms: the words or phrases of it that an operator may touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from obvert.core import ObvertError

Kind = Literal["object", "attribute", "relation"]
KINDS: tuple[Kind, ...] = ("object", "attribute", "relation")


@dataclass(frozen=True, kw_only=True)
class Atom:
    """A word or phrase of a sentence, and what kind of thing it says."""

    kind: Kind
    text: str
    """As it stands in the sentence."""
    start: int
    """Its first character."""
    stop: int
    """The character after its last."""
    group: str = ""
    """Finer than its kind: colour, size, material, number, texture, spatial, action, ...; only atoms of one group change
    places. Empty where nobody knows."""


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A text with its atoms, in the order in which they stand."""

    text: str
    atoms: tuple[Atom, ...] = ()

    def __post_init__(self) -> None:
        end = 0
        for atom in self.atoms:
            if atom.kind not in KINDS or atom.start < end or self.text[atom.start : atom.stop] != atom.text or not atom.text:
                raise ObvertError(f"need atoms in order, apart, and as they stand in {self.text!r}, got {atom}")
            end = atom.stop


Parser = Callable[[str], Sentence]
"""Finds the atoms of a text."""
