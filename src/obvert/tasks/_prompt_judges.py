"""Prompts that were found for a medium, as words, before judges that had no part in the search.

in words   the share that a reader reads as it reads the medium wanted, where the writer is told the nearest words alone
transfer   of pictures the share of words for which an independent dual encoder, of all pictures wanted, takes the right one;
           of sounds the share that is, letter by letter, what independent readers hear in the sound wanted
distance   of words for pictures, by the dual encoder's text features: to the nearest real caption, 1 being usual among these
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from torch import Tensor

from obvert.core import DualEncoder, ObvertError, Reader, Writer
from obvert.metrics import exact_match, neighbour_ratio
from obvert.models import load_dual
from obvert.tasks._inverted import as_file
from obvert.tasks.writing import readers_of

ENCODERS = {"zoo/diffusion": "zoo/siglip"}
"""Dual encoders that share nothing with the zoo's text-to-image models."""


@dataclass(frozen=True, kw_only=True)
class PromptJudges:
    """Who judges prompts; none of them may have been part of the search."""

    readers: Mapping[str, Reader] = field(default_factory=dict)
    """Of what is written, by name."""
    encoder: DualEncoder | None = None
    """For pictures and words."""
    captions: Sequence[str] = ()
    """Real prompts."""


def prompt_judges(name: str, *, readers: Sequence[str] | None = None, encoder: str | None = None) -> PromptJudges:
    """Load who judges the prompts found for a writer.

    Args:
        name: of the writer.
        readers: names of those that read what it writes; the zoo's own for a zoo model when None.
        encoder: name of a dual encoder; the zoo's own for a zoo model when None, none when "".

    Returns:
        The judges; of captions those of held-out scenes, for a model of the zoo that draws.
    """
    known = ENCODERS.get(name)
    eye = known if encoder is None else encoder
    return PromptJudges(
        readers=readers_of(name, readers), encoder=load_dual(eye) if eye else None, captions=captions() if known else ()
    )


def judge_words(model: Writer, words: Sequence[str], wanted: Tensor, judges: PromptJudges) -> dict[str, float | None]:
    """What is to be said of prompts as words.

    Args:
        model: the writer.
        words: B texts, each the nearest words of what was found.
        wanted: (B, C, ...) the media that they should give.
        judges: the others.

    Returns:
        "in words", "transfer" and "distance" as above, means over the B; None where there is no judge, or, of the first, where
        the writer has no words for some of them.
    """
    given = list(as_file(wanted, model.media))
    heard = {name: reader.read(given) for name, reader in judges.readers.items()}
    found: dict[str, float | None] = {
        "in words": _written(model, words, judges.readers, heard),
        "transfer": None,
        "distance": None,
    }
    if model.media == "sound":
        letters = [_letters(text) for text in words]
        shares = [exact_match(letters, [_letters(text) for text in said]).mean().item() for said in heard.values()]
        return found | {"transfer": fmean(shares) if shares else None}
    if judges.encoder is None:
        return found
    features = judges.encoder.text_features(list(words))
    taken = (features @ judges.encoder.image_features(given).T).argmax(1).tolist()
    found["transfer"] = fmean(float(best == i) for i, best in enumerate(taken))
    if judges.captions:
        real = judges.encoder.text_features(list(judges.captions))
        found["distance"] = neighbour_ratio(features.cpu(), real.cpu()).mean().item()
    return found


def _written(
    model: Writer, words: Sequence[str], readers: Mapping[str, Reader], heard: Mapping[str, Sequence[str]]
) -> float | None:
    """The share of words that, written, are read as what was wanted."""
    try:
        again = list(as_file(model.draw(list(words)).cpu(), model.media)) if readers else []
    except ObvertError:
        return None
    shares = [exact_match(reader.read(again), heard[name]).mean().item() for name, reader in readers.items()]
    return fmean(shares) if shares else None


def _letters(text: str) -> str:
    """What a text is without its spaces: words that were found are told token by token."""
    return "".join(text.split())


def captions() -> list[str]:
    """Of held-out scenes, each once."""
    from obvert.zoo.exam import HELD_OUT
    from obvert.zoo.scenes import caption, sample

    return sorted({caption(scene) for scene in sample(256, HELD_OUT + 101)})
