"""Moves: what an operator does to which places of a sentence, and the sentence that it makes.

A place is told by the noun phrase it belongs to and by what it holds there, not by its position in the text, so that a move
means the same after other moves.

    swap      two nouns, two attributes of a group, two relations of a group, or two whole noun phrases change places
    replace   another word of the kind, the group and the form
    add       an attribute to an object that has none of its group, or one more object behind the last

Nouns that change places leave their attributes behind; phrases take them along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from obvert.composition.text.canonical import canonical, repeats
from obvert.composition.text.grammar import article, ending, form, inflected, lowered, mended, plural
from obvert.composition.text.lexicon import meaning
from obvert.composition.text.phrases import Phrase, cut, join, phrases, spliced, word
from obvert.composition.text.sentence import Atom, Kind, Sentence
from obvert.composition.text.vocabulary import Vocabulary

OPERATORS = ("swap", "replace", "add")
ORDER = ("number", "size", "age", "shape", "texture", "colour", "material", "noun")
"""How attributes follow one another before an object."""
ADDED = ("size", "shape", "texture", "colour", "material")
"""Groups of which an attribute can be added."""
JOINTS = 6
"""How many of the most frequent relations join an object that is added, in turns, beside "and"."""
AGREEING = re.compile(r"\b(is|are|was|were|has|have|does|do)\b", re.IGNORECASE)
THERE = re.compile(r"\bthere\s+(is|are|was|were)\s+$", re.IGNORECASE)
"""What agrees with the phrase behind it."""
Address = tuple[int, str, int]
"""Number of a noun phrase from 0, what it is there ("phrase" for all of it, "after" for a word that follows it), and which."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """What an operator does to which places."""

    operator: str
    kind: Kind
    group: str
    at: tuple[Address, ...]
    """The two places of a swap, the one that is replaced, or the object that something is added to."""
    words: tuple[str, ...] = ()
    """What is put there: the word; of an object that is added, what joins it, and its noun with an article."""


def addresses(sentence: Sentence) -> dict[Address, int]:
    """Where each atom of a sentence stands: its place, and its number."""
    found: dict[Address, int] = {}
    listed = phrases(sentence)
    owner = {index: number for number, phrase in enumerate(listed) for index in range(phrase.first, phrase.noun + 1)}
    last = -1
    for index, atom in enumerate(sentence.atoms):
        last = owner.get(index, last)
        name = "after" if index not in owner else "object" if atom.kind == "object" else f"{atom.kind} {atom.group}"
        which = sum(address[:2] == (last, name) for address in found)
        found[last, name, which] = index
    return found


def sites(
    sentence: Sentence, vocabulary: Vocabulary, operators: Sequence[str] = OPERATORS
) -> Iterator[tuple[Move, Sequence[tuple[str, ...]]]]:
    """Every place where an operator may be at work.

    Args:
        sentence: its atoms typed.
        vocabulary: the words to put in.
        operators: which of swap, replace and add.

    Yields:
        A move that lacks its words, and the words it can have; one choice of none for a swap. In the order of the operators and
        of the places; some turn out to be no edits.
    """
    places, listed = addresses(sentence), phrases(sentence)
    if "swap" in operators:
        for (one, i), (other, j) in combinations(places.items(), 2):
            a, b = sentence.atoms[i], sentence.atoms[j]
            within = one[0] == other[0] and "after" not in (one[1], other[1])
            if (a.kind, a.group) == (b.kind, b.group) and not within:
                yield Move(operator="swap", kind=a.kind, group=a.group, at=(one, other)), [()]
        for p, q in combinations(range(len(listed)), 2):
            yield Move(operator="swap", kind="object", group="phrase", at=((p, "phrase", 0), (q, "phrase", 0))), [()]
    if "replace" in operators:
        of = {phrase.noun: phrase for phrase in listed}
        for at, index in places.items():
            atom = sentence.atoms[index]
            words = vocabulary.instead(atom, form(sentence, index, of.get(index)))
            yield Move(operator="replace", kind=atom.kind, group=atom.group, at=(at,)), [(new,) for new in words]
    if "add" in operators:
        yield from _additions(sentence, listed, vocabulary)


def made(sentence: Sentence, move: Move) -> Sentence | None:
    """The sentence that a move makes.

    Args:
        sentence: to change.
        move: of this sentence or of one that it became by other moves.

    Returns:
        The new sentence, its grammar mended; None where the move is no edit: it changes nothing, or nothing but the order of
        what is joined evenly or a word for its synonym, or its places are not there.
    """
    plain = lowered(sentence)
    places, listed = addresses(plain), phrases(plain)
    if any(address[0] >= len(listed) if address[1] == "phrase" else address not in places for address in move.at):
        return None
    changes = {"swap": _swap, "replace": _replace, "add": _add}[move.operator](plain, move, places, listed)
    after = mended(spliced(plain, changes), sentence)
    return None if canonical(after) == canonical(sentence) or repeats(after) > repeats(sentence) else after


Changes = list[tuple[int, int, Sentence]]
"""As `obvert.composition.text.phrases.spliced` takes them; none at all is no edit."""


def _swap(sentence: Sentence, move: Move, places: dict[Address, int], listed: Sequence[Phrase]) -> Changes:
    first, second = sorted(move.at)
    if move.group == "phrase":
        p, q = listed[first[0]], listed[second[0]]
        even = _form(sentence, p) == _form(sentence, q) or not (
            any(_agrees(sentence, at) for at in (p.stop, q.stop)) or THERE.search(sentence.text[: p.start])
        )
        if not even or sentence.text[p.stop : q.start].strip().lower() == "of":
            return []
        return [(p.start, p.stop, cut(sentence, q.start, q.stop)), (q.start, q.stop, cut(sentence, p.start, p.stop))]
    a, b = sentence.atoms[places[first]], sentence.atoms[places[second]]
    if a.kind == "object":
        if "bare" in (forms := {_form(sentence, listed[at[0]]) for at in move.at}) and len(forms) > 1:
            return []
        to_a, to_b = inflected(b.text, many=plural(a.text)), inflected(a.text, many=plural(b.text))
        return [(a.start, a.stop, word(b, to_a)), (b.start, b.stop, word(a, to_b))]
    if form(sentence, places[first], None) != form(sentence, places[second], None):
        return _counts(sentence, a, b, listed) if a.group == "number" else []
    return [(a.start, a.stop, word(b, b.text)), (b.start, b.stop, word(a, a.text))]


def _counts(sentence: Sentence, a: Atom, b: Atom, listed: Sequence[Phrase]) -> Changes:
    """One and many change places, and their objects change number; not where a verb would have to follow."""
    nouns = [
        next((sentence.atoms[phrase.noun] for phrase in listed if phrase.start <= number.start < phrase.stop), None)
        for number in (a, b)
    ]
    if None in nouns or _agrees(sentence, 0):
        return []
    changes = [(a.start, a.stop, word(b, b.text)), (b.start, b.stop, word(a, a.text))]
    for noun in (noun for noun in nouns if noun is not None):
        changes.append((noun.start, noun.stop, word(noun, inflected(noun.text, many=not plural(noun.text)))))
    return sorted(changes, key=lambda change: change[0])


def _replace(sentence: Sentence, move: Move, places: dict[Address, int], listed: Sequence[Phrase]) -> Changes:
    atom = sentence.atoms[places[move.at[0]]]
    return [(atom.start, atom.stop, word(atom, move.words[0]))]


def _add(sentence: Sentence, move: Move, places: dict[Address, int], listed: Sequence[Phrase]) -> Changes:
    phrase, new = listed[move.at[0][0]], _atom(move.kind, move.group, move.words[-1])
    if move.kind == "attribute":
        held = sentence.atoms[phrase.first : phrase.noun]
        if any(atom.group == move.group for atom in held):
            return []
        later = [atom for atom in held if _rank(atom.group) > _rank(move.group)]
        at = (later or [sentence.atoms[phrase.noun]])[0].start
        return [(at, at, join([new, Sentence(text=" ")]))]
    joint = move.words[0]
    if joint == "and" and _agrees(sentence, phrase.stop):
        return []
    link = Sentence(text=joint) if joint == "and" else _atom("relation", "spatial", joint)
    opening = Sentence(text="" if plural(move.words[-1]) else f"{article(move.words[-1])} ")
    return [(phrase.stop, phrase.stop, join([Sentence(text=" "), link, Sentence(text=" "), opening, new]))]


def _additions(
    sentence: Sentence, listed: Sequence[Phrase], vocabulary: Vocabulary
) -> Iterator[tuple[Move, Sequence[tuple[str, ...]]]]:
    for number, phrase in enumerate(listed):
        groups = {atom.group for atom in sentence.atoms[phrase.first : phrase.noun]}
        for group in (group for group in ADDED if group not in groups):
            words = [(new,) for new in vocabulary.words.get(("attribute", group, ""), ())]
            yield Move(operator="add", kind="attribute", group=group, at=((number, "object", 0),)), words
    if not listed or len(listed) >= vocabulary.objects:
        return
    there = {meaning(sentence.atoms[phrase.noun].text) for phrase in listed}
    joints = ("and", *vocabulary.words.get(("relation", "spatial", "object"), ())[:JOINTS])
    for (kind, group, seen), names in vocabulary.words.items():
        if kind == "object" and seen in {"counted", "plural"}:
            turns = [(joints[turn % len(joints)], new) for turn, new in enumerate(names) if meaning(new) not in there]
            yield Move(operator="add", kind="object", group=group, at=((len(listed) - 1, "object", 0),)), turns


def _atom(kind: Kind, group: str, text: str) -> Sentence:
    return Sentence(text=text, atoms=(Atom(kind=kind, text=text, start=0, stop=len(text), group=group),))


def _rank(group: str) -> int:
    return ORDER.index(group if group in ORDER else "age")


def _form(sentence: Sentence, phrase: Phrase) -> str:
    """The form of a phrase's object; what stands behind any word of pointing or owning counts as counted."""
    found = form(sentence, phrase.noun, phrase)
    return "counted" if found == "single" else found


def _agrees(sentence: Sentence, start: int) -> bool:
    """Whether a verb behind this character agrees with its subject in number."""
    finite = any(atom.group == "action" and atom.start >= start and ending(atom.text) in {"", "s"} for atom in sentence.atoms)
    return finite or AGREEING.search(sentence.text, start) is not None
