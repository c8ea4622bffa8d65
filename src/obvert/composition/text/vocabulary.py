"""Words that can take an atom's place, by kind, group and form."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from obvert.composition.text.grammar import form, form_of, forms
from obvert.composition.text.lexicon import BROADER, GROUPS, TYPES, UNNAMED, meaning
from obvert.composition.text.phrases import phrases
from obvert.composition.text.sentence import Atom, Kind, Sentence

Place = tuple[Kind, str, str]
"""Kind, group and form, as `obvert.composition.text.grammar.form` tells it."""
FAMILIAR = frozenset({"colour", "size", "material", "texture", "shape", "number", "spatial"})
"""Groups of the lexicon any word of which can stand for any other."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Words that were seen in sentences, or that a list holds."""

    words: Mapping[Place, tuple[str, ...]]
    """Words by kind, group and form, in small letters but for names, the most frequent first."""
    objects: int = 2
    """Most objects that a sentence of the corpus has; nothing is added beyond."""

    @classmethod
    def of(cls, sentences: Iterable[Sentence], *, otherwise: Vocabulary | None = None, most: int = 200) -> Vocabulary:
        """The words of a corpus.

        Args:
            sentences: the corpus.
            otherwise: whose words to take for a kind and group of which the corpus has fewer than two; none by default, so
                that nothing is said that the corpus does not say.
            most: how many words of each kind, group and form to keep, the most frequent.

        Returns:
            The vocabulary.
        """
        counts: defaultdict[Place, Counter[str]] = defaultdict(Counter)
        objects = 1
        for sentence in sentences:
            found = {phrase.noun: phrase for phrase in phrases(sentence)}
            objects = max(objects, len(found))
            for index, atom in enumerate(sentence.atoms):
                if atom.group == UNNAMED:
                    continue
                counts[atom.kind, atom.group, form(sentence, index, found.get(index))][_plain(sentence, atom)] += 1
        words = {place: tuple(word for word, _ in counted.most_common(most)) for place, counted in counts.items()}
        rich = Counter((kind, group) for (kind, group, _), seen in words.items() for _ in seen)
        more = otherwise.words if otherwise else {}
        return cls(words=words | {place: listed for place, listed in more.items() if rich[place[:2]] < 2}, objects=objects)

    @classmethod
    def listed(cls, *, objects: int = 3) -> Vocabulary:
        """The words of the lexicon, of the groups in which any can stand for any other.

        Args:
            objects: most objects that a sentence may come to have.

        Returns:
            The vocabulary: attributes and places, no objects and no actions.
        """
        words: defaultdict[Place, list[str]] = defaultdict(list)
        for (kind, group), listed in GROUPS.items():
            for word in listed:
                if group in FAMILIAR and meaning(word) == word:
                    words[kind, group, "object" if kind == "relation" else form_of(word, group)].append(word)
        return cls(words={place: tuple(seen) for place, seen in words.items()}, objects=objects)

    def instead(self, atom: Atom, form: str) -> list[str]:
        """Words that can take the place of an atom, itself left out.

        Args:
            atom: what to replace.
            form: what its place asks for.

        Returns:
            The words, the most frequent first; none that is true of whatever the atom is true of.
        """
        true = BROADER.get(meaning(atom.text), frozenset()) | {atom.text.lower()}
        found = dict.fromkeys(word for seen in forms(form) for word in self.words.get((atom.kind, atom.group, seen), ()))
        return [word for word in found if word.lower() not in true and meaning(word) not in true]


def _plain(sentence: Sentence, atom: Atom) -> str:
    opens = not sentence.text[: atom.start].strip()
    said = " ".join(atom.text.split())
    return said.lower() if opens or sentence.text.isupper() or said.lower() in TYPES else said
