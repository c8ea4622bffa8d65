"""Parts of speech by HanTa, a tagger of hidden Markov models over morphemes, whose English model comes with its package.

Its tags are those of the British National Corpus. The closed lists correct them where captions differ from prose.

References:
    | A Probabilistic Morphology Model for German Lemmatization (Wartena, 2019), https://doi.org/10.25968/opus-1527
    | https://github.com/wartaal/HanTa, LGPL
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from obvert.composition.text.grammar import plural
from obvert.composition.text.lexical import participle
from obvert.composition.text.lexicon import DETERMINERS, TYPES, VERBS
from obvert.composition.text.sentence import Parser, Sentence
from obvert.composition.text.tags import NOUNS, Token, tokens, typed
from obvert.core import ObvertError

MODEL = "morphmodel_en.pgz"
UNIVERSAL = {
    "NN": "NOUN", "NP": "PROPN", "AJ": "ADJ", "VV": "VERB", "VB": "AUX", "VH": "AUX", "VD": "AUX", "VM": "AUX", "AT": "DET",
    "DT": "DET", "DP": "DET", "CR": "NUM", "OR": "ADJ", "PR": "ADP", "PN": "PRON", "CJ": "CCONJ", "AV": "ADV", "TO": "PART",
    "XX": "PART", "EX": "PRON", "PO": "PART", "PU": "PUNCT", "UN": "NOUN", "ZZ": "NOUN", "IT": "X",
}  # fmt: skip
"""Universal part of speech of a tag of the British National Corpus, by its first two letters."""


def tagger() -> Parser:
    """The parser by HanTa.

    Returns:
        The parser: text -> sentence.
    """
    tag = loaded()

    def parse(text: str) -> Sentence:
        words = tokens(text)
        return typed(text, corrected([replace(word, tag=found) for word, found in zip(words, tag(words), strict=True)]))

    return parse


@cache
def loaded() -> Callable[[Sequence[Token]], list[str]]:
    try:
        from HanTa.HanoverTagger import HanoverTagger
    except ImportError as error:
        raise ObvertError("need the tagger HanTa to parse with, got none: pip install 'obvert[parsing]'") from error
    hanta = HanoverTagger(str(files("HanTa") / MODEL))  # by its full path: a file of that name in the working folder is not read

    def tags(words: Sequence[Token]) -> list[str]:
        found = hanta.tag_sent([word.text for word in words]) if words else []
        return [UNIVERSAL.get(tag[:2], "X") for _, _, tag in found]

    return tags


def corrected(words: Sequence[Token]) -> list[Token]:
    """Tagged words, put right where captions are not like prose.

    Args:
        words: of one text, with their tags.

    Returns:
        The same words: a participle after a noun is a verb ("a man surfing the waves"), and so is a verb after a plural
        ("giraffes drink water"); between an article and a noun is no verb ("an overpass bridge").
    """
    found: list[Token] = []
    for at, word in enumerate(words):
        before = found[-1] if found else None
        after = words[at + 1] if at + 1 < len(words) else None
        found.append(replace(word, tag=_corrected(word, before, after)))
    return found


def _corrected(word: Token, before: Token | None, after: Token | None) -> str:
    if before is None or word.tag not in {"NOUN", "ADJ", "VERB"} or word.text in TYPES:
        return word.tag
    if word.tag == "VERB" and before.tag == "DET" and before.text in DETERMINERS:
        return "ADJ" if after is not None and after.tag in NOUNS else "NOUN"
    ing = word.text.endswith("ing") and participle(word.text)
    if ing and before.tag in {*NOUNS, "PRON", "AUX"}:
        return "VERB"
    return "VERB" if word.text in VERBS and before.tag in NOUNS and plural(before.text) else word.tag
