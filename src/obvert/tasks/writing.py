"""Inversions of writers, judged: is the medium written again, and are the prompts found anything that could be said?

Legibility is the mean cosine of what was found with the nearest words of the vocabulary; it is 1 for real prompts, and for
chance what noise as loud as the vocabulary reaches. The cycle reads the medium that is written again, where there is a reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from obvert.core import Inversion, ObvertError, Reader, Status, Writer
from obvert.methods._writing import WriterInversion
from obvert.methods.prompt_inversion import PromptInversion
from obvert.methods.speech_prompt_inversion import SpeechPromptInversion
from obvert.metrics import exact_match, legibility, log_mel_distance, nearest_tokens
from obvert.models import load_reader
from obvert.report import Gallery, GalleryRow, Report, Table
from obvert.tasks._fit import fit, stacked
from obvert.tasks._inverted import about, as_file, columns, medium_of, quality, way

TOP = 5
"""Nearest words that are shown for each row."""


def rows(
    model: Writer, inversion: Inversion, names: Sequence[str], readers: Mapping[str, Reader] | None = None
) -> list[dict[str, Any]]:
    """What a command prints, medium by medium.

    Args:
        model: the writer.
        inversion: of it.
        names: of the media.
        readers: that read what is written again, and the target, for the cycle.

    Returns:
        A row a medium: `again_db` (mean squared error of the picture that is written again; of sounds `pesq`, `stoi` and
        `log_mel_db`, with the floor and the ceiling of the first two), `legibility`, `nearest` words of each place, and what
        each reader reads of the target and of what is written.
    """
    wanted, seen = (as_file(t.detach().cpu(), model.media) for t in (inversion.target, inversion.features))
    placed = places(model, inversion.x)
    legible = None if placed is None else legibility(placed, model.vocabulary)
    found: list[dict[str, Any]] = []
    said = {name: (reader.read(list(wanted)), reader.read(list(seen))) for name, reader in (readers or {}).items()}
    same = {name: exact_match(again, first) for name, (first, again) in said.items()}
    near: list[dict[str, Any]] = (
        [{"again_db": wrong} for wrong in again_db(seen, wanted).tolist()]
        if model.rate is None
        else quality(wanted, seen, model.rate, bounds=True)
    )
    for i, name in enumerate(names):
        row: dict[str, Any] = {"task": inversion.method, "target": name} | near[i]
        row |= {"legibility": None if legible is None else legible[i].item(), "nearest": _text(inversion, i)}
        for reader, (first, again) in said.items():
            row |= {f"{reader} reads": first[i], f"{reader} reads again": again[i], "cycle": same[reader][i].item()}
        row |= {"error": inversion.error[i].item(), "steps": int(inversion.steps[i])}
        found.append(row | {"status": Status(int(inversion.status[i])).name.lower()})
    return found


BRIEF = ("task", "target", "again_db", "pesq", "stoi", "log_mel_db", "legibility", "nearest", "cycle", "error", "status")


def brief(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a terminal: the page and the JSON tell all."""
    return [{key: row[key] for key in BRIEF if key in row} | {"nearest": row["nearest"][:32]} for row in found]


def _text(inversion: Inversion, i: int) -> str:
    return inversion.texts[i] if inversion.texts else ""


def places(model: Writer, x: Tensor) -> Tensor | None:
    """(B, n, d) rows that can be compared with the vocabulary; None where they are of another length."""
    rows = x if x.ndim == 3 and x.shape[-1] == model.vocabulary.shape[1] else model.states(x)
    return rows if rows.shape[-1] == model.vocabulary.shape[1] else None


def report(model: Writer, inversion: Inversion, found: list[dict[str, Any]]) -> Report:
    """The page of an inverted writer.

    Args:
        model: the writer.
        inversion: with snapshots, if the way is to be shown.
        found: as `rows` gives it.

    Returns:
        The report.
    """
    gallery = []
    for i, row in enumerate(found):
        steps: list[tuple[Any, str, bool | None]] = [
            (medium_of(model, media[i]), f"step {step}", None) for step, media in sorted(inversion.snapshot_features.items())
        ]
        steps.append((medium_of(model, inversion.features[i]), row["nearest"][:60], None))
        gallery.append(GalleryRow(query=medium_of(model, inversion.target[i]), label=row["target"], results={"written": steps}))
    written = Table(title="How it is written again", rows=found, columns=columns(found), note=NOTE)
    return Report(
        title=f"What {model.card.name} has to be told",
        lead=f"{len(found)} {model.media}{'s' * (len(found) > 1)}, searched for as {inversion.settings['unknown']}.",
        blocks=[
            Gallery(title="Wanted and written", queries=gallery),
            written,
            *vocabulary(model, inversion.x, [row["target"] for row in found]),
            way(inversion, [row["target"] for row in found], "error"),
        ],
        rows=found,
        meta=about(model, inversion),
    )


def vocabulary(model: Writer, x: Tensor, names: Sequence[str], most: int = 4) -> list[Table]:
    """The nearest words of what was found.

    Args:
        model: the writer.
        x: (B, P, d) rows, as an inversion of a writer has them.
        names: of each.
        most: tables, of the first ones.

    Returns:
        Of each, place by place, the nearest words with their cosines; none for a model that has no places to tell.
    """
    placed = places(model, x)
    tables = []
    for name, rows in zip(names, [] if placed is None else placed[:most], strict=False):
        near, lines = nearest_tokens(rows, model.vocabulary, k=min(TOP, len(model.vocabulary))), []
        for place, (ids, scores) in enumerate(zip(near[0], near[1], strict=True)):
            told = enumerate(zip(model.spell(ids), scores.tolist(), strict=True))
            lines.append({"place": place + 1} | {f"{k + 1}": f"{word} {score:.2f}" for k, (word, score) in told})
        tables.append(Table(title=f"Nearest words of {name}", rows=lines[:32], note=WORDS))
    return tables


WORDS = "Words of the vocabulary nearest to each row, and their cosines."
NOTE = (
    "again db: mean squared error of the picture that is written again. pesq, stoi, log mel db: of the sound, against the one "
    "wanted; floor: of noise, ceiling: of the one wanted through its log-mel. legibility: mean cosine with the nearest words, 1 "
    "for real prompts. reads, reads again: what a reader says of the target and of what is written; cycle: whether that is the "
    "same."
)


def again_db(seen: Tensor, wanted: Tensor) -> Tensor:
    """(B,) mean squared error of media (B, C, ...) in decibels, over the length of the shorter."""
    length = min(seen.shape[-1], wanted.shape[-1])
    wrong = (seen[..., :length] - wanted[..., :length]).square().flatten(1).mean(1)
    return 10 * wrong.clamp(min=1e-12).log10()


def nearness(model: Writer, seen: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """How near media come to those wanted: {"again_db": (B,)} of pictures, {"log_mel_db": (B,)} of sounds; lower is nearer."""
    seen = as_file(seen.detach().cpu(), model.media)
    if model.rate is None:
        return {"again_db": again_db(seen, wanted)}
    length = min(seen.shape[-1], wanted.shape[-1])
    return {"log_mel_db": log_mel_distance(wanted[..., :length], seen[..., :length], model.rate)}


def method_of(model: Writer, preset: str) -> WriterInversion:
    """The inversion of that writer under a preset's name."""
    kind = PromptInversion if model.media == "picture" else SpeechPromptInversion
    made: WriterInversion = getattr(kind, preset)()
    return made


def fitted(model: Writer, media: Sequence[Tensor], names: Sequence[str]) -> Tensor:
    """Media as one batch that the writer can be compared with.

    Args:
        model: the writer.
        media: pictures of any sizes, cropped around their middle and resized to what it draws; sounds of any lengths, the
            shorter ones ending in silence.
        names: in whose names a warning tells what was changed.

    Returns:
        (B, C, ...).

    Raises:
        ObvertError: for a sound of silence, of which nothing can be written again.
    """
    if model.media == "picture":
        height, width = model.medium.shape[1:]
        return torch.stack([fit(m, (height, width), name) for m, name in zip(media, names, strict=True)])
    if silent := [name for m, name in zip(media, names, strict=True) if not m.any()]:
        raise ObvertError(f"need sounds that are not silent, got silence in {silent[0]}")
    return stacked(media)


READERS = {"zoo/diffusion": "zoo/captioner", "zoo/speech-synthesiser": "zoo/speech-recogniser"}
"""Who reads what the zoo's writers write."""


def check(readers: Mapping[str, Reader], media: Tensor) -> None:
    """Let readers read the media wanted: ObvertError, with its name, for one that cannot."""
    for name, reader in readers.items():
        try:
            reader.read(list(as_file(media, reader.media)))
        except ObvertError as error:
            raise ObvertError(f"{name} cannot judge this: {error}; say --judges") from error


def readers_of(name: str, readers: Sequence[str] | None = None) -> dict[str, Reader]:
    """Load who reads what a writer writes; those of the zoo for a zoo model where none is named."""
    known = [READERS[name]] if readers is None and name in READERS else readers or []
    return {one: load_reader(one) for one in known}
