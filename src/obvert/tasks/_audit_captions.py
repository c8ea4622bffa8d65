"""A user's own captions as contrasts: what operators make of them, what says the same, and the pairs they hold already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from obvert.captions import stream_captions
from obvert.composition.natural import natural_pairs
from obvert.composition.operators import Chain, Vocabulary, chains
from obvert.composition.text.canonical import canonical
from obvert.composition.text.language import looks_english
from obvert.composition.text.sentence import Parser, Sentence
from obvert.core import Contrast, ContrastSet, ObvertError, Progress
from obvert.tasks._audit_material import Material

DEPTHS = {1: 3, 2: 1, 3: 1}
"""How many chains of each depth are drawn of a caption."""
SEVERAL, MIXED = "several", "mixed"
"""Atom of a chain of two edits or more, and its operator where they differ in it."""
NATURAL = ", natural"
"""Said behind the atom of a pair whose captions were both written by people."""
ANOTHER = "another caption"


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Captions, each with its picture."""

    names: list[str]
    """Of each caption's picture; its own number where none is told."""
    captions: list[str]
    """Without the marks of a template."""
    sentences: list[Sentence]
    files: dict[str, Path]
    """Where the pictures lie that were found."""


def from_captions(
    path: Path, images: Path | None, parse: Parser, *, most: int = 2000, seed: int = 0, progress: Progress | None = None
) -> Material:
    """Captions as contrasts.

    Args:
        path: the captions, as `obvert.captions.stream_captions` reads them.
        images: folder of the pictures they name; None for texts alone.
        parse: finds the atoms.
        most: captions used; of more, pictures are drawn at random with all their captions.
        seed: of the draws.
        progress: called with (captions done, all of them, 0).

    Returns:
        Contrasts of each caption with what operators make of it, of natural pairs, and of captions of one picture.

    Raises:
        ObvertError: when nothing can be made of the captions, or no picture is found.
    """
    told = [(name or str(row), " ".join(text.split())) for row, (name, text) in enumerate(stream_captions(path))]
    counted = _counted([text for _, text in told])
    there = [pair for pair in dict.fromkeys(told) if pair[1]]
    if not there:
        raise ObvertError(f"need captions with words in them, got {counted['empty']} empty ones in {path}")
    used = _drawn(there, most, seed)
    corpus = _corpus(used, images, parse)
    made = _made(corpus, seed, progress)
    items = [item for _, item in made] + _natural(corpus)
    warnings = []
    if len(used) < len(there):
        warnings.append(f"{len(used):,} of {len(there):,} captions are used, drawn by picture")
    if images is not None:
        lost = sum(name not in corpus.files for name in corpus.names)
        if lost == len(used):
            raise ObvertError(f"need pictures of {path} in {images}, got none, e.g. no {corpus.names[0]}")
        if lost:
            warnings.append(
                f"{lost:,} of {len(used):,} captions have no picture in {images}; {len(used) - lost:,} are evaluated with theirs"
            )
    if not items:
        raise ObvertError(f"need captions in which an operator finds something to change, got none in {path}")
    return Material(
        contrasts=ContrastSet(name=path.name, items=items, measures=()),
        again=ContrastSet(name=path.name, items=_again(corpus, made), measures=()),
        captions=list(dict.fromkeys(corpus.captions)),
        counted=counted,
        warnings=tuple(warnings),
    )


def _counted(texts: Sequence[str]) -> dict[str, int]:
    there = [text for text in texts if text]
    return {
        "captions": len(texts),
        "empty": len(texts) - len(there),
        "repeated": len(there) - len(set(there)),
        "not English": sum(not looks_english(text) for text in there),
    }


def _drawn(told: list[tuple[str, str]], most: int, seed: int) -> list[tuple[str, str]]:
    """Captions of pictures at random until there are enough, in the order in which they stand."""
    sizes = Counter(name for name, _ in told)
    names = list(sizes)
    kept, count = set[str](), 0
    for i in np.random.default_rng(seed).permutation(len(names)):
        if count >= most:
            break
        kept.add(names[i])
        count += sizes[names[i]]
    return [pair for pair in told if pair[0] in kept]


def _corpus(used: list[tuple[str, str]], images: Path | None, parse: Parser) -> Corpus:
    names = [name for name, _ in used]
    files = {} if images is None else {name: images / name for name in dict.fromkeys(names) if (images / name).is_file()}
    sentences = [parse(text) for _, text in used]
    return Corpus(names=names, captions=[sentence.text for sentence in sentences], sentences=sentences, files=files)


def _made(corpus: Corpus, seed: int, progress: Progress | None) -> list[tuple[int, Contrast]]:
    """What operators make of each caption, and of which; nothing that another caption of its picture says."""
    vocabulary = Vocabulary.of(corpus.sentences)
    told: dict[str, set[str]] = {}
    for name, sentence in zip(corpus.names, corpus.sentences, strict=True):
        told.setdefault(name, set()).add(canonical(sentence))
    found = []
    for row, (name, sentence) in enumerate(zip(corpus.names, corpus.sentences, strict=True)):
        rng = np.random.default_rng((seed, row))
        for depth, count in DEPTHS.items():
            for chain in chains(sentence, depth, vocabulary, rng, count):
                if canonical(chain.after) not in told[name]:
                    found.append((row, _contrast(chain, corpus.files.get(name))))
        if progress:
            progress(row + 1, len(corpus.names), 0.0)
    return found


def _contrast(chain: Chain, picture: Path | None) -> Contrast:
    operators = {edit.operator for edit in chain.edits}
    atoms = {_atom(edit.kind, edit.group) for edit in chain.edits}
    operator = operators.pop() if len(operators) == 1 else MIXED
    atom = atoms.pop() if len(chain.edits) == 1 else SEVERAL
    return Contrast(
        texts=(chain.before.text, chain.after.text),
        pictures=() if picture is None else (picture,),
        category=f"{operator} {atom}",
        operator=operator,
        atom=atom,
        depth=chain.depth,
    )


def _atom(kind: str, group: str) -> str:
    return group if kind == "attribute" and group else kind


def _natural(corpus: Corpus) -> list[Contrast]:
    found = []
    for pair in natural_pairs(corpus.sentences, corpus.names):
        rows = pair.first, pair.second
        files = [corpus.files[corpus.names[row]] for row in rows if corpus.names[row] in corpus.files]
        atom = _atom(pair.kind, pair.group) + NATURAL
        found.append(
            Contrast(
                texts=tuple(corpus.captions[row] for row in rows),
                right=((0,), (1,)),
                pictures=tuple(files) if len(files) == 2 else (),
                category=f"{pair.operator} {atom}",
                operator=pair.operator,
                atom=atom,
            )
        )
    return found


def _again(corpus: Corpus, made: list[tuple[int, Contrast]]) -> list[Contrast]:
    """Of each caption whose picture has another one, the two of them and the first text that an operator made."""
    of: dict[str, list[int]] = {}
    for row, name in enumerate(corpus.names):
        of.setdefault(name, []).append(row)
    wrong: dict[int, Contrast] = {}
    for row, item in made:
        wrong.setdefault(row, item)
    found = []
    for row, item in wrong.items():
        mine = of[corpus.names[row]]
        other = mine[(mine.index(row) + 1) % len(mine)]
        if canonical(corpus.sentences[other]) != canonical(corpus.sentences[row]):
            found.append(
                Contrast(
                    texts=(corpus.captions[row], corpus.captions[other], item.texts[1]),
                    right=((0, 1),),
                    pictures=item.pictures,
                    category=ANOTHER,
                    operator=item.operator,
                    atom=item.atom,
                    depth=item.depth,
                )
            )
    return found
