"""The atoms of a caption of Scenes, correct by construction: the grammar that `obvert.zoo.scenes.caption` writes, read back."""

from __future__ import annotations

import re

from obvert.composition.text.lexicon import UNNAMED
from obvert.composition.text.sentence import Atom, Kind, Sentence
from obvert.core import ObvertError
from obvert.zoo.scenes import COLOURS, OPENINGS, RELATIONS, SHAPES, SIZES, TEXTURES, TONES


def _one_of(name: str, words: tuple[str, ...]) -> str:
    return f"(?P<{name}>{'|'.join(words)})"


def _thing(number: int) -> str:
    attributes = {"size": SIZES, "texture": TEXTURES, "colour": COLOURS}
    said = "".join(f"(?:{_one_of(f'{group}_{number}', words)} )?" for group, words in attributes.items())
    return f"an? {said}(?:{_one_of(f'shape_{number}', SHAPES)}|(?P<{UNNAMED}_{number}>shape))"


CAPTION = re.compile(
    f"(?:(?:{'|'.join(OPENINGS)}) )?{_thing(1)}(?: (?:{_one_of('spatial', RELATIONS)}|and) {_thing(2)})?"
    f"(?: on a {_one_of('tone', TONES)} background)?"
)
"""Each group of the pattern is an atom, named by its own group."""
KINDS: dict[str, Kind] = {"shape": "object", UNNAMED: "object", "spatial": "relation"}
"""Of the groups that are no attributes. The word "shape" says of no thing which it is."""


def scene_caption(text: str) -> Sentence:
    """Read a caption of Scenes.

    Args:
        text: as `obvert.zoo.scenes.caption` writes it.

    Returns:
        The sentence with every object, attribute and relation of it.

    Raises:
        ObvertError: for a text that is no such caption.
    """
    found = CAPTION.fullmatch(text)
    if found is None:
        raise ObvertError(
            f"need a caption of Scenes, such as 'a photo of a small red circle above a blue ring', got {text[:80]!r}"
        )
    atoms = [
        Atom(kind=KINDS.get(group, "attribute"), text=said, start=found.start(name), stop=found.end(name), group=group)
        for name, said in found.groupdict().items()
        if said is not None
        for group in [name.partition("_")[0]]
    ]
    return Sentence(text=text, atoms=tuple(sorted(atoms, key=lambda atom: atom.start)))
