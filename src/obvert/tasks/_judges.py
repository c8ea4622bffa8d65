"""Who judges what was found for a reader; no judge may have been part of the loss."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from obvert.core import Card, DualEncoder, ObvertError, Reader
from obvert.hub import ZOO, zoo
from obvert.io import PictureError
from obvert.media import files, read
from obvert.metrics.meaning import TextModel
from obvert.models import load_dual, load_reader
from obvert.models.parts.sentence import load_text_judge
from obvert.tasks._fit import fit

TARGETS = 16
"""Recordings of the zoo that may be targets; the others are what is real."""
JUDGES = {
    "zoo/captioner": ["zoo/captioner-2"],
    "zoo/captioner-2": ["zoo/captioner"],
    "zoo/vlm": ["zoo/vlm-2", "zoo/captioner"],
    "zoo/vlm-2": ["zoo/vlm", "zoo/captioner-2"],
    "zoo/speech-recogniser": ["zoo/speech-recogniser-2"],
    "zoo/speech-recogniser-2": ["zoo/speech-recogniser"],
}
"""Independent readers of the zoo's own models."""
EYES = {"zoo/vlm": "zoo/siglip", "zoo/captioner-2": "zoo/siglip"}
"""Dual encoders that judge those that began with zoo/clip, the judge of the others."""


LINES = (
    {"zoo/clip", "zoo/vlm", "zoo/captioner-2"},
    {"zoo/siglip", "zoo/vlm-2", "zoo/captioner"},
)
"""Models of the zoo that began with one tower."""


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Who judges what was found; none of them may have been part of the loss."""

    readers: Mapping[str, Reader] = field(default_factory=dict)
    """Other models of the same kind, by name."""
    encoder: DualEncoder | None = None
    """For pictures."""
    sentences: TextModel | None = None
    """Tells how near in meaning what is read lies."""
    real: Sequence[Tensor] = ()
    """Real media, to tell how far from them others lie; pictures as large as those that are judged."""


def asked_too(judges: Judges, model: Reader, question: str) -> Judges:
    """Judges of what was found under another question than the usual one.

    Args:
        judges: the others.
        model: the inverted one.
        question: that it was asked, or how its text was to begin.

    Returns:
        The same; where the model answers questions, with the readers that do so too, asked the same.
    """
    if not model.answers:
        return judges
    return replace(judges, readers={name: other.ask(question) for name, other in judges.readers.items() if other.answers})


def check(model: Reader, judges: Judges, loss: Sequence[Card] = ()) -> None:
    """ObvertError for a judge that is the model itself, had part in the loss, or reads other media, or for too few real ones."""
    if any(_same(card, model.card) for card in loss):
        raise ObvertError(f"need a verifier other than the inverted model, got {model.card.name}")
    encoders = [] if judges.encoder is None else [judges.encoder.card]
    for card in [other.card for other in judges.readers.values()] + encoders:
        if any(_same(card, other) or _related(card, other) for other in loss):
            raise ObvertError(
                f"need judges that have no part in the loss, got {card.name}, kin to a network there; name others by --judges "
                "and --encoder, or another --verifier"
            )
    for name, other in judges.readers.items():
        if _same(other.card, model.card):
            raise ObvertError(f"need a judge other than the inverted model, got {name}, which has its weights")
        if other.media != model.media:
            raise ObvertError(f"need judges of {model.media}s, got {name} of {other.media}s")
        if other.rate != model.rate:
            raise ObvertError(f"need judges at {model.rate} Hz, got {name} at {other.rate} Hz")
    if len(judges.real) == 1:
        raise ObvertError(f"need 2 real {model.media}s or more that can be read, to tell what is usual among them, got 1")


def _same(one: Card, other: Card) -> bool:
    """Whether two cards are of one model: by its weights, wherever they lie, or by name where no weights were counted."""
    return one.sha256 == other.sha256 if one.sha256 and other.sha256 else one.name == other.name


def _related(one: Card, other: Card) -> bool:
    """Whether two of the zoo's models began with one tower."""
    return any({one.name, other.name} <= line for line in LINES)


def named(judges: Judges) -> dict[str, Any]:
    """Who judged, for the record of a page."""
    return {
        "readers": list(judges.readers),
        "dual encoder": judges.encoder and judges.encoder.card.name,
        "sentences": judges.sentences and type(judges.sentences).__name__,
        "real media": len(judges.real),
    }


def judges_of(
    name: str,
    model: Reader,
    *,
    readers: Sequence[str] | None = None,
    encoder: str | None = None,
    sentences: str = "",
    real: Path | None = None,
) -> Judges:
    """Load who judges the inversions of a model.

    Args:
        name: of the model.
        model: itself.
        readers: names of independent ones; those of the zoo for a zoo model when None.
        encoder: name of a dual encoder, for pictures; the zoo's own for a zoo model when None, none when "".
        sentences: name of a text encoder, "minilm" for that of the extra `text`, none when "".
        real: folder of real media; held-out scenes or recordings for a zoo model when None.

    Returns:
        The judges.

    Raises:
        ObvertError: for models that are no judges or the model itself, or a folder with fewer than two media.
    """
    if encoder and model.media == "sound":
        raise ObvertError(f"need no dual encoder with a model of sounds, got {encoder}")
    own = name.startswith("zoo/")
    loaded = {one: load_reader(one) for one in ([j for j in JUDGES.get(name, []) if j in zoo()] if readers is None else readers)}
    eye = (EYES.get(name, "zoo/clip") if own and model.media == "picture" else "") if encoder is None else encoder
    texts = load_text_judge("" if sentences == "minilm" else sentences) if sentences else None
    given = files(real, model.media) if real else recordings()[TARGETS:] if own and model.media == "sound" else []
    media = legible(given, model) or (real_scenes() if own and not real else [])
    if model.media == "picture":
        height, width = model.medium.shape[1:]
        media = [fit(picture, (height, width)) for picture in media]
    judges = Judges(readers=loaded, encoder=load_dual(eye) if eye else None, sentences=texts, real=media)
    check(model, judges)
    return judges


def legible(paths: Sequence[Path], model: Reader) -> list[Tensor]:
    """What files hold; one that cannot be read is left out, with a warning."""
    found = []
    for path in paths:
        try:
            found.append(read(path, model).data)
        except (PictureError, ObvertError) as error:
            warnings.warn(f"{path} is left out: {error}", stacklevel=3)
    return found


def real_scenes(count: int = 256) -> list[Tensor]:
    """Held-out scenes, what is real to the zoo's models."""
    from obvert.zoo.exam import HELD_OUT, pictures
    from obvert.zoo.scenes import sample

    return pictures(sample(count, HELD_OUT + 101))


def recordings() -> list[Path]:
    """Held-out phrases as they were spoken, what is real to the zoo's recognisers, named by what is said."""
    return files(ZOO / "speech-recogniser" / "examples", "sound")
