"""Inversions of readers, judged: is what was found read as wanted, by whom, and how much does it look or sound like anything?

The inverted model is no judge of its own input. What it reads at x is told beside what it reads of the file that x becomes
(rounded to 8 or 16 bits), what independent readers read of it, how well it fits the text for a dual encoder, and how far it
lies from real media by statistics that no network gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from obvert.core import Inversion, Reader, Status
from obvert.methods._reading import ReaderInversion
from obvert.methods.caption_inversion import CaptionInversion
from obvert.methods.transcript_inversion import TranscriptInversion
from obvert.metrics import (
    character_error_rate,
    clip_scores,
    exact_match,
    neighbour_ratio,
    picture_statistics,
    sentence_cosine,
    sound_statistics,
    spectrum_slope,
    word_error_rate,
)
from obvert.report import Gallery, GalleryRow, Report, Table
from obvert.tasks._inverted import about, as_file, columns, medium_of, way
from obvert.tasks._judges import Judges, check, named


def judge(model: Reader, media: Tensor, wanted: Sequence[str], judges: Judges) -> list[dict[str, Any]]:
    """What is to be said of media that should be read as wanted.

    Args:
        model: whose inversion gave them.
        media: (B, C, ...) within their bounds.
        wanted: B texts.
        judges: the others.

    Returns:
        A row a text: `as_file` (what the model reads of the file), `match`, `word_errors` and `character_errors` of that,
        `transfer` (share of the independent readers that read the wanted text exactly), `transfer_words` (share of its words
        that they read: 1 less their word error rate, 0 at least), what each reads, `meaning` (cosine of what the model reads
        and what is wanted, as
        sentences), `clip_score`, `distance` to real media in
        units of what is usual among them, `slope` of the power spectrum. What there is no judge for is None.

    Raises:
        ObvertError: for a judge that is the model itself, or reads other media.
    """
    check(model, judges)
    media = as_file(media.detach().cpu(), model.media)
    read = model.read(list(media))
    others = {name: other.read(list(media)) for name, other in judges.readers.items()}
    rows: list[dict[str, Any]] = []
    scores = clip_scores(judges.encoder, list(media), wanted)["clip_score"] if judges.encoder else None
    distances = distance(media, judges.real, model.rate) if judges.real else None
    right, errors, letters = exact_match(read, wanted), word_error_rate(read, wanted), character_error_rate(read, wanted)
    agree = {name: exact_match(said, wanted) for name, said in others.items()}
    shares = {name: 1 - word_error_rate(said, wanted).clamp(max=1) for name, said in others.items()}
    slopes = spectrum_slope(media)
    means = sentence_cosine(judges.sentences, read, wanted) if judges.sentences else None
    for i, text in enumerate(wanted):
        rows.append(
            {
                "target": text,
                "as_file": read[i],
                "match": right[i].item(),
                "word_errors": errors[i].item(),
                "character_errors": letters[i].item(),
                "transfer": fmean(a[i].item() for a in agree.values()) if agree else None,
                "transfer_words": fmean(words[i].item() for words in shares.values()) if shares else None,
                **{f"{name} reads": said[i] for name, said in others.items()},
                "meaning": None if means is None else means[i].item(),
                "clip_score": None if scores is None else scores[i].item(),
                "distance": None if distances is None else distances[i].item(),
                "slope": slopes[i].item(),
            }
        )
    return rows


def distance(media: Tensor, real: Sequence[Tensor], rate: int | None) -> Tensor:
    """How far media lie from real ones, by statistics of pictures or of sounds.

    Args:
        media: (B, C, ...).
        real: real ones; pictures as large as those.
        rate: samples a second of sounds, None for pictures.

    Returns:
        (B,) distance to the nearest, 1 being usual among the real ones.
    """
    one, other = (
        (picture_statistics(media), picture_statistics(torch.stack(list(real))))
        if rate is None
        else (sound_statistics(list(media), rate), sound_statistics(real, rate))
    )
    return neighbour_ratio(one, other, standardised=True)


def rows(model: Reader, inversion: Inversion, wanted: Sequence[str], judges: Judges) -> list[dict[str, Any]]:
    """What a command prints: what the model reads at x, and all judges, text by text."""
    judged = judge(model, inversion.features, wanted, judges)
    lost = residual(model, inversion)
    return [
        {"task": inversion.method, "target": text, "reads": inversion.texts[i]}
        | judged[i]
        | {"residual": lost[i].item()}
        | {"error": inversion.error[i].item(), "steps": int(inversion.steps[i])}
        | {"status": Status(int(inversion.status[i])).name.lower()}
        for i, text in enumerate(wanted)
    ]


@torch.no_grad()
def residual(model: Reader, inversion: Inversion) -> Tensor:
    """How far what was searched lies from what the network is given of the file: of a spectrogram, its mel-consistency.

    Args:
        model: the reader.
        inversion: of it.

    Returns:
        (B,) mean absolute difference in the unit of what the network takes; near 0 where the search is one among files.
    """
    front = [model.front(list(media)).cpu() for media in (as_file(inversion.features.cpu(), model.media), inversion.features)]
    searched = inversion.x.cpu() if inversion.settings["space"] == "network" else front[1]
    return (front[0].double() - searched.double()).abs().flatten(1).mean(1)


def report(model: Reader, inversion: Inversion, found: list[dict[str, Any]], judges: Judges) -> Report:
    """The page of an inverted reader.

    Args:
        model: the reader.
        inversion: with snapshots, if the way is to be shown.
        found: as `rows` gives it.
        judges: that are recorded.

    Returns:
        The report.
    """
    gallery = []
    for i, row in enumerate(found):
        steps: list[tuple[Any, str, bool | None]] = [
            (medium_of(model, media[i]), f"step {step}: {inversion.snapshot_texts[step][i]}", None)
            for step, media in sorted(inversion.snapshot_features.items())
        ]
        last = medium_of(model, inversion.features[i])
        gallery.append(GalleryRow(query=last, label=f"“{row['target']}”", results={"on the way": steps}))
    match = fmean(row["match"] for row in found)
    transfer = [row["transfer"] for row in found if row["transfer"] is not None]
    told = f" Independent readers read {fmean(transfer):.0%} of them as wanted." if transfer else ""
    return Report(
        title=f"What {model.card.name} reads as wanted",
        lead=f"Saved as files, {match:.0%} of {len(found)} are read as wanted by the model that was inverted.{told}",
        blocks=[
            Gallery(title="Found", queries=gallery, note=FOUND),
            Table(title="Judges", rows=found, columns=columns(found), note=NOTE),
            way(inversion, [row["target"] for row in found], "error (nats a token, and priors)"),
        ],
        rows=found,
        meta=about(model, inversion) | {"judges": named(judges)},
    )


FOUND = "The text is what the inverted model reads at what was searched; of the file that is shown or played, see 'as file'."
NOTE = (
    "reads: by the inverted model, at what was searched. as file: by it, of the saved file. match, word errors, character "
    "errors: of that, against the target. transfer: share of independent readers that read the target exactly; words: of its "
    "words that they read. "
    "meaning: cosine of as file and target, as sentences. clip score: of an independent dual encoder, 0 to 2.5. distance: to the "
    "nearest real medium by statistics, 1 being usual among real ones. slope: exponent of the power spectrum, about -2 for "
    "natural media and 0 for noise. residual: mean difference of what was searched from what the network is given of the file, "
    "near 0 for what a file can hold. named, top1, top5: what the dual encoder takes the picture for, and whether the target is "
    "first, or among the first five. pesq, stoi, log mel db: against the recording, between floor (noise as loud) and ceiling "
    "(the recording through its log-mel)."
)


BRIEF = (
    *("task", "target", "reads", "as_file", "match", "transfer", "named", "top1", "clip_score", "pesq", "stoi", "distance"),
    *("error", "status"),
)
"""What a terminal has room for."""


def brief(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a terminal: the page and the JSON tell all."""
    return [{key: row[key] for key in BRIEF if key in row} for row in found]


def snapshots(steps: int, count: int = 5) -> tuple[int, ...]:
    """Steps to show: 0, then by the same factor up to the last."""
    return tuple(sorted({0, *(round(steps ** (k / (count - 1))) for k in range(1, count))})) if steps else (0,)


def method_of(model: Reader, preset: str) -> ReaderInversion:
    """The inversion of that reader under a preset's name."""
    kind = CaptionInversion if model.media == "picture" else TranscriptInversion
    made: ReaderInversion = getattr(kind, preset)()
    return made
