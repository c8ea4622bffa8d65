"""Parsing: the atoms of a caption, from a closed grammar, from word lists, from a tagger, or as the user says.

parser("scenes")    captions of Scenes, correct by construction
parser("lexicon")   free text, by closed lists and the place of a word; needs nothing
parser("tagger")    free text, by the tagger HanTa and the same lists; needs `pip install 'obvert[parsing]'`
parser("template")  from_template: "a [attribute/colour:red] [object:cup] [relation:on] a [object:table]"
from_spans          typed spans of the user's own
from_doc            a spaCy `Doc` of the user's own
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from obvert.composition.text import lexical
from obvert.composition.text.lexicon import TYPES
from obvert.composition.text.scene_captions import scene_caption
from obvert.composition.text.sentence import KINDS, Atom, Parser, Sentence
from obvert.composition.text.tags import Token, tokens, typed
from obvert.core import ObvertError

PARSERS = ("lexicon", "tagger", "scenes", "template")
SLOT = re.compile(r"\[(\w+)(?:/([\w -]+))?:([^\[\]]+)\]")
"""[kind:text] or [kind/group:text]."""


def parser(name: str = "lexicon") -> Parser:
    """A parser by its name.

    Args:
        name: "lexicon", "tagger", "scenes" or "template".

    Returns:
        The parser: text -> sentence. That of scenes raises an `ObvertError` for any other text, that of templates for other
        brackets.

    Raises:
        ObvertError: for any other name, or where the tagger is not installed.
    """
    if name == "lexicon":
        return from_words
    if name == "scenes":
        return scene_caption
    if name == "template":
        return from_template
    if name != "tagger":
        raise ObvertError(f"need a parser among {', '.join(PARSERS)}, got {name!r}")
    from obvert.composition.text.tagger import tagger

    return tagger()


def from_words(text: str) -> Sentence:
    """Parse free text by closed lists alone."""
    return typed(text, lexical.tagged(tokens(text)))


def from_spans(text: str, spans: Iterable[tuple[int, int, str] | tuple[int, int, str, str]]) -> Sentence:
    """A sentence whose atoms the user has marked.

    Args:
        text: as it stands.
        spans: of each atom its first character, the character after its last, its kind (object, attribute or relation) and, if
            wanted, its group; in any order. Without a group, the lexicon's, for words that it lists under that kind.

    Returns:
        The sentence.

    Raises:
        ObvertError: for an unknown kind, or spans that overlap, are empty or lie outside the text.
    """
    atoms = []
    for start, stop, kind, *group in sorted(spans):
        said = text[start:stop]
        if kind not in KINDS:
            raise ObvertError(f"need atoms of the kinds {', '.join(KINDS)}, got {kind!r} for {said!r}")
        if not (0 <= start < stop <= len(text) and said.strip()):
            raise ObvertError(f"need spans of words within the {len(text)} characters of {text[:60]!r}, got {start} to {stop}")
        known, listed = TYPES.get(said.lower(), ("", ""))
        named = group[0] if group else listed if known == kind else ""
        atoms.append(Atom(kind=kind, text=said, start=start, stop=stop, group=named))
    return Sentence(text=text, atoms=tuple(atoms))


def from_template(template: str) -> Sentence:
    """A sentence whose atoms are marked in the text itself.

    Args:
        template: such as "a [attribute/colour:red] [object:cup] [relation:on] a [object:table]"; the group may be left out.

    Returns:
        The sentence, without the marks.

    Raises:
        ObvertError: for an unknown kind, or a bracket that is no mark.
    """
    spans: list[tuple[int, int, str] | tuple[int, int, str, str]] = []
    text, end = "", 0
    for slot in SLOT.finditer(template):
        text += template[end : slot.start()]
        stop = len(text) + len(slot[3])
        spans.append((len(text), stop, slot[1], slot[2]) if slot[2] else (len(text), stop, slot[1]))
        text += slot[3]
        end = slot.end()
    text += template[end:]
    if "[" in text or "]" in text:
        raise ObvertError(f"need marks like [object:cup] or [attribute/colour:red], got {template!r}")
    return from_spans(text, spans)


def from_doc(doc: Any) -> Sentence:
    """A sentence from a spaCy `Doc`.

    Args:
        doc: with `text`, and tokens with `text`, `idx` and `pos_`; `dep_` is used where it is set.

    Returns:
        The sentence.

    Raises:
        ObvertError: a token has no part of speech: the pipeline had no tagger.
    """
    words = []
    for token in doc:
        if not token.pos_:
            raise ObvertError(f"need a Doc with parts of speech, got none for {token.text!r}")
        before = token.pos_ == "VERB" and token.dep_ == "amod"  # a participle that belongs to the noun: parked cars
        tag = "ADJ" if before else token.pos_
        words.append(Token(start=token.idx, stop=token.idx + len(token.text), text=token.text.lower(), tag=tag))
    return typed(doc.text, _hyphened([word for word in words if word.tag != "SPACE"]))


def _hyphened(words: list[Token]) -> list[Token]:
    """Words joined by hyphens without spaces as one, as elsewhere here; it is what its last part is."""
    found: list[Token] = []
    for word in words:
        touching = bool(found) and found[-1].stop == word.start
        if touching and (word.text == "-" or found[-1].text.endswith("-")) and found[-1].text != "-":
            before = found.pop()
            tag = before.tag if word.text == "-" else word.tag
            word = Token(start=before.start, stop=word.stop, text=before.text + word.text, tag=tag)
        found.append(word)
    return found
