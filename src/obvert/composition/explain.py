"""From a text and its negative back to the operator: what was changed, and of which kind it is."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from typing import NamedTuple

from obvert.composition.text.lexicon import FUNCTION
from obvert.composition.text.sentence import Atom, Kind, Sentence
from obvert.composition.text.tags import Token, tokens


class Change(NamedTuple):
    """What tells two sentences apart."""

    operator: str
    """swap, replace or add."""
    kind: Kind
    group: str
    """Of the first atom of that kind that was changed; "phrase" where a whole noun phrase changed its place."""


def explain(before: Sentence, after: Sentence) -> Change | None:
    """Find the operator that leads from one sentence to another.

    Args:
        before: as it was, its atoms typed.
        after: as it became, its atoms typed alike.

    Returns:
        The operator, and the kind of the atoms it changed: object where any of them is one, else relation, else attribute. For
        an atom that was replaced, as it was before. None where no atom was changed, or words were only taken away.
    """
    old, new = tokens(before.text), tokens(after.text)
    blocks = _blocks(old, new)
    gone = [word for start, stop, _, _ in blocks for word in old[start:stop]]
    come = [word for _, _, start, stop in blocks for word in new[start:stop]]
    lost, won = _atoms(before, gone), _atoms(after, come)
    missing, put = (_content(one) - _content(other) for one, other in ((gone, come), (come, gone)))
    if lost and won and not missing and not put:
        return _change("swap", lost)
    if lost and won and missing:
        return _change("replace", [atom for atom in lost if _content(tokens(atom.text)) & missing] or lost)
    return _change("add", [atom for atom in won if _content(tokens(atom.text)) & put] or won) if won else None


def one_word(before: str, after: str) -> tuple[Token, Token] | None:
    """The words that differ where two texts differ in one word, as each has it; None where they differ in more or in none."""
    old, new = tokens(before), tokens(after)
    matched = SequenceMatcher(None, [word.text for word in old], [word.text for word in new], autojunk=False)
    blocks = [block for block in matched.get_opcodes() if block[0] != "equal"]
    if len(blocks) != 1 or blocks[0][2] - blocks[0][1] != 1 or blocks[0][4] - blocks[0][3] != 1:
        return None
    return old[blocks[0][1]], new[blocks[0][3]]


def _blocks(old: list[Token], new: list[Token]) -> list[tuple[int, int, int, int]]:
    """Where the two differ, word by word where they are as long and that is no more than by the longest matches."""
    one, other = list(map(_plain, old)), list(map(_plain, new))
    matched = SequenceMatcher(None, one, other, autojunk=False)
    blocks = [(a, b, c, d) for name, a, b, c, d in matched.get_opcodes() if name != "equal"]
    by_place = [(at, at + 1, at, at + 1) for at, (was, now) in enumerate(zip(one, other, strict=False)) if was != now]
    return by_place if len(old) == len(new) and len(by_place) <= sum(b - a for a, b, _, _ in blocks) else blocks


def _content(words: list[Token]) -> Counter[str]:
    """How often each word occurs that is more than grammar."""
    return Counter(_plain(word) for word in words if word.text not in FUNCTION)


def _plain(word: Token) -> str:
    """A word whatever its number: edits inflect what they do not change."""
    return "a" if word.text == "an" else word.text.removesuffix("s")


def _atoms(sentence: Sentence, words: list[Token]) -> list[Atom]:
    return [atom for atom in sentence.atoms if any(atom.start < word.stop and word.start < atom.stop for word in words)]


def _change(operator: str, atoms: list[Atom]) -> Change:
    kinds = {atom.kind for atom in atoms}
    kind: Kind = "object" if "object" in kinds else "relation" if "relation" in kinds else "attribute"
    mixed = operator == "swap" and kind == "object" and len(kinds) > 1
    return Change(operator, kind, "phrase" if mixed else next(atom.group for atom in atoms if atom.kind == kind))
