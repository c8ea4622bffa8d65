"""Grammar of a sentence after an edit: its articles, its capital letter, its number, and which words fit a place."""

from __future__ import annotations

import re
from dataclasses import replace

from obvert.composition.text.lexicon import DETERMINERS, VERBS
from obvert.composition.text.phrases import Phrase, spliced
from obvert.composition.text.sentence import Sentence

ARTICLE = re.compile(r"(?<![\w'’-])(an?)\s+[\"'“(]?(?=(\w[\w'’.-]*))", re.IGNORECASE)
LIKE_A_CONSONANT = re.compile(r"eu|ewe|on(e|ce)(?![a-z])|uni(?![dmn])|us[eu]|ut[ei]|uku|ubi")
LIKE_A_VOWEL = re.compile(r"hour|honest|honou?r|heir|8|(11|18)(?!\d)")
SPELLED_OUT = "AEFHILMNORSX"
"""Letters whose names begin like a vowel: an SUV, an X-ray."""
PLURALS = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet", "tooth": "teeth", "mouse": "mice",
    "goose": "geese", "knife": "knives", "leaf": "leaves", "loaf": "loaves", "shelf": "shelves", "wolf": "wolves",
    "calf": "calves", "half": "halves", "life": "lives", "wife": "wives", "sheep": "sheep", "deer": "deer", "fish": "fish",
    "snowman": "snowmen", "fisherman": "fishermen", "policeman": "policemen", "fireman": "firemen", "potato": "potatoes",
    "tomato": "tomatoes", "businessman": "businessmen", "ox": "oxen", "gentleman": "gentlemen", "bus": "buses",
}  # fmt: skip
"""Plurals that no rule gives."""
SINGULARS = {plural: singular for singular, plural in PLURALS.items()}
PRONOUNS = frozenset(
    {"it", "him", "them", "me", "us", "you", "itself", "himself", "herself", "themselves", "someone", "something"}
)
NEXT = re.compile(r"\s+[\"'“(]?(\w[\w'’-]*)")
UNCHANGED = frozenset(plural for singular, plural in PLURALS.items() if singular == plural)
NO_PLURAL = re.compile(r".*(ss|us|is)|gas|lens|canvas|christmas|atlas|texas|kansas")
"""Singular nouns that end in s."""
ONE = frozenset({"a", "an", "one", "another", "each", "every", "single", "this", "that"})
MANY = frozenset({"these", "those", "all", "both"})


def article(word: str) -> str:
    """Whether "a" or "an" goes before a word, by its sound."""
    lower = word.lower()
    if LIKE_A_VOWEL.match(lower):
        return "an"
    if word.isupper() or word[:2].isupper():
        return "an" if word[0] in SPELLED_OUT else "a"
    return "an" if lower[0] in "aeiou" and not LIKE_A_CONSONANT.match(lower) else "a"


def mended(sentence: Sentence, before: Sentence) -> Sentence:
    """A sentence with its articles and capital letters right, where they are not as they were before the edit."""
    shouted = before.text.isupper()
    known = {(found[1].lower(), found[2].lower()) for found in ARTICLE.finditer(before.text)}
    changes = []
    for found in ARTICLE.finditer(sentence.text):
        right = article(found[2].lower() if shouted else found[2])
        if found[1].lower() != right and (found[1].lower(), found[2].lower()) not in known:
            changes.append((found.start(1), found.end(1), Sentence(text=found[1][0] + right[1:])))
    whole = spliced(sentence, changes)
    first = _first(whole)
    if shouted:
        return _spelt(whole, whole.text.upper())
    if before.text[_first(before) :][:1].isupper():
        return _spelt(whole, whole.text[:first] + whole.text[first : first + 1].upper() + whole.text[first + 1 :])
    return whole


def lowered(sentence: Sentence) -> Sentence:
    """A sentence without its capital letter, so that its first word may move; an abbreviation keeps it."""
    first = _first(sentence)
    opening = sentence.text[first:].split(maxsplit=1)[:1]
    if not opening or opening[0][1:] != opening[0][1:].lower() or opening[0] == "I":
        return sentence
    return _spelt(sentence, sentence.text[:first] + sentence.text[first].lower() + sentence.text[first + 1 :])


def plural(noun: str) -> bool:
    """Whether a noun, or the last word of a phrase, is in the plural; not where both are spelt alike."""
    last = _last(noun).lower()
    return last not in PLURALS and (last in SINGULARS or (last.endswith("s") and NO_PLURAL.fullmatch(last) is None))


def inflected(noun: str, *, many: bool) -> str:
    """A noun in the singular or the plural, by lemminflect where it is installed, else by rule.

    Args:
        noun: a word, or words of which the last is the noun.
        many: whether in the plural.

    Returns:
        The noun in that number; as it is where it has that already.
    """
    last = _last(noun)
    if plural(noun) == many or last.lower() in UNCHANGED:
        return noun
    return noun[: len(noun) - len(last)] + (_listed(last, many) or _looked_up(last, many) or _by_rule(last, many))


def ending(verb: str) -> str:
    """Of a verb its ending: ing, s, ed, or none; an irregular past counts as ed."""
    first = verb.lower().split()[0]
    if first.endswith("ing"):
        return "ing"
    if first in VERBS:
        return ""
    return "s" if first.endswith("s") else "ed"


def form(sentence: Sentence, index: int, phrase: Phrase | None) -> str:
    """What form of a word stands in the place of an atom.

    Args:
        sentence: holds the atom.
        index: which of its atoms.
        phrase: the noun phrase that the atom is the object of; None for any other atom.

    Returns:
        Of an object, "plural", "counted" (a cup), "bare" (water) or "single" (the cup, the water); of a number, "plural" or
        "single"; of a relation, "object" where one follows it, after the ending of an action; of anything else, nothing.
    """
    atom = sentence.atoms[index]
    if phrase is not None:
        numbers = [other.text.lower() for other in sentence.atoms[phrase.first : phrase.noun] if other.group == "number"]
        many = numbers != [] and numbers[0] not in ONE
        if plural(atom.text) or phrase.determiner in MANY or (many and _last(atom.text).lower() in UNCHANGED):
            return "plural"
        opening = phrase.determiner if many or not numbers else numbers[0]
        return "counted" if opening in ONE else "single" if opening else "bare"
    if atom.kind != "relation":
        return form_of(atom.text, atom.group)
    following = NEXT.match(sentence.text, atom.stop)
    said = following[1].lower() if following else ""
    begins = following is not None and index + 1 < len(sentence.atoms) and sentence.atoms[index + 1].start == following.start(1)
    governs = said in DETERMINERS or said in PRONOUNS or (begins and sentence.atoms[index + 1].kind != "relation")
    return f"{form_of(atom.text, atom.group)} {'object' if governs else ''}".strip()


def form_of(word: str, group: str) -> str:
    """What form a word has that is no object: of a number "single" or "plural", of an action its ending, else nothing."""
    if group == "number":
        return "single" if word.lower() in ONE else "plural"
    return ending(word) if group == "action" else ""


def forms(place: str) -> tuple[str, ...]:
    """In which forms a word may have been seen that fits a place: after "the" stands what is counted and what is not."""
    return ("single", "counted", "bare") if place == "single" else (place,)


def _first(sentence: Sentence) -> int:
    return len(sentence.text) - len(sentence.text.lstrip())


def _last(noun: str) -> str:
    return re.split(r"[\s-]", noun)[-1]


def _spelt(sentence: Sentence, text: str) -> Sentence:
    """The sentence in other letters, as long as before; as it is where a letter has no such form."""
    if text == sentence.text or len(text) != len(sentence.text):
        return sentence
    atoms = tuple(replace(atom, text=text[atom.start : atom.stop]) for atom in sentence.atoms)
    return Sentence(text=text, atoms=atoms)


def _listed(noun: str, many: bool) -> str:
    return (PLURALS if many else SINGULARS).get(noun.lower(), "")


def _looked_up(noun: str, many: bool) -> str:
    try:
        from lemminflect import getInflection, getLemma
    except ImportError:
        return ""
    found = getInflection(noun, "NNS") if many else getLemma(noun, "NOUN")
    return found[0] if found else ""


def _by_rule(noun: str, many: bool) -> str:
    if many:
        if re.search(r"[^aeiou]y$", noun):
            return noun[:-1] + "ies"
        return noun + ("es" if re.search(r"(s|x|z|ch|sh)$", noun) else "s")
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    return noun[:-2] if re.search(r"(ss|x|z|ch|sh)es$", noun) else noun[:-1]
