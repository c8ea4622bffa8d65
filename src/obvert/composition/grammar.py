"""Grammar of a sentence after an edit: its articles, its capital letter, its number, and which words fit a place."""

from __future__ import annotations

import re
from dataclasses import replace

from obvert.composition.lexicon import VERBS
from obvert.composition.phrases import Phrase, spliced
from obvert.composition.sentence import Atom, Sentence

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
    if plural(noun) == many or last.lower() in PLURALS.values():
        return noun if plural(noun) == many or many else noun[: len(noun) - len(last)] + SINGULARS[last.lower()]
    return noun[: len(noun) - len(last)] + (_listed(last, many) or _looked_up(last, many) or _by_rule(last, many))


def ending(verb: str) -> str:
    """Of a verb its ending: ing, s, ed, or none; an irregular past counts as ed."""
    first = verb.lower().split()[0]
    if first.endswith("ing"):
        return "ing"
    if first in VERBS:
        return ""
    return "s" if first.endswith("s") else "ed"


def form(sentence: Sentence, atom: Atom, phrase: Phrase | None) -> str:
    """What form of a word stands in the place of an atom.

    Args:
        sentence: holds the atom.
        atom: the atom.
        phrase: the noun phrase that the atom is the object of; None for any other atom.

    Returns:
        Of an object, "plural", "counted" (a cup), "bare" (water) or "single" (the cup, the water); of a number, "plural" or
        "single"; of an action, its ending; of anything else, nothing.
    """
    if phrase is not None:
        numbers = [other.text.lower() for other in sentence.atoms[phrase.first : phrase.noun] if other.group == "number"]
        opening = numbers[0] if numbers else phrase.determiner
        if plural(atom.text) or opening in MANY or (numbers and opening not in ONE):
            return "plural"
        return "counted" if opening in ONE else "single" if opening else "bare"
    return form_of(atom.text, atom.group)


def form_of(word: str, group: str) -> str:
    """What form a word has that is no object: of a number "single" or "plural", of an action its ending, else nothing."""
    if group == "number":
        return "single" if word.lower() in ONE else "plural"
    return ending(word) if group == "action" else ""


def fits(seen: str, place: str) -> bool:
    """Whether a word seen in one form fits a place of another: after "the" stands what is counted and what is not."""
    return seen == place or (place == "single" and seen in {"counted", "bare"})


def _first(sentence: Sentence) -> int:
    return len(sentence.text) - len(sentence.text.lstrip())


def _last(noun: str) -> str:
    return re.split(r"[\s-]", noun)[-1]


def _spelt(sentence: Sentence, text: str) -> Sentence:
    """The sentence in other letters, as long as before; as it is where a letter has no such form."""
    if len(text) != len(sentence.text):
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
