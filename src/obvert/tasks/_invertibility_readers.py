"""The readers' half of the invertibility experiments: naive against regularised inversion, real inputs and noise beside them.

Texts are to be read; what is found is saved as a file and judged, at the published checkpoints too. Real inputs show what the
judges give at best, noise, where the naive search starts, what they give for nothing; of sounds, real ones that are heard
through their log-mel show what a search for a spectrogram can reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from torch import Tensor

from obvert.core import Progress, Reader
from obvert.methods._reading import ReaderInversion
from obvert.metrics import LogMel, exact_match
from obvert.models import load_autoencoder, load_writer
from obvert.parametrisations.latent import Latent
from obvert.parametrisations.spoken import Spoken
from obvert.report import Block, Curves, Gallery, GalleryRow, Table
from obvert.solvers.adam import Adam
from obvert.store import Run
from obvert.tasks import _inverted
from obvert.tasks._claims import Claim, differences, means
from obvert.tasks._inverted import as_file, medium_of
from obvert.tasks._judges import Judges
from obvert.tasks.reading import judge, method_of
from obvert.views.equaliser import Equaliser
from obvert.views.gain import Gain
from obvert.views.noise import Noise
from obvert.views.speed import Speed

Watch = Callable[[str], Progress | None]
NAIVE, OURS, DATA, NOISE, CEILING = "naive", "regularised", "data", "noise", "data through its log-mel"
WITHIN = "regularised, within a decoder"
PRESETS = (NAIVE, OURS, WITHIN)
MEASURES = ("read", "match", "transfer", "transfer_words", "clip_score", "pesq", "stoi", "distance", "slope")
SECONDS = 2.0
"""Of regularised sounds, about as long as a phrase takes."""
PUBLISHED = {"picture": (0, 100, 1000, 10_000), "sound": (0, 500, 1500, 3000)}
"""Steps at which the paper looks."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Media of one contestant and seed."""

    x_read: list[str]
    """What the inverted model reads where it was searched."""
    media: Tensor
    """(B, C, ...) within their bounds."""
    way: dict[int, Tensor]
    """{step: media} at the checkpoints."""
    way_read: dict[int, list[str]]
    """{step: texts} read there, in the space of the search."""


def search(model: Reader, preset: str, targets: Sequence[str], steps: int, seed: int, run: Run | None, progress: Watch) -> Found:
    """Invert the targets under a preset; finished searches are kept in the run, and of the first seed the way."""
    method = replace(contestant(model, preset), steps=steps, snapshots=() if seed else checkpoints(model.media, steps))

    def make() -> dict[str, Tensor]:
        found = method(model, list(targets), seed=seed, progress=progress(f"{model.card.name}: {preset}, seed {seed}")).cpu()
        way = {f"x-{k}": x for k, x in found.solution.snapshots.items()}
        return {"x": found.x} | way

    piece = run.piece(f"{model.card.name.split('/')[-1]}-{preset}-{seed}", make) if run else make()
    way = {int(name[2:]): x for name, x in piece.items() if name != "x"}
    return Found(
        x_read=method.read(model, piece["x"]),
        media=method.medium(model, piece["x"]),
        way={k: method.medium(model, x) for k, x in sorted(way.items())},
        way_read={k: method.read(model, x) for k, x in sorted(way.items())},
    )


def contestant(model: Reader, preset: str) -> ReaderInversion:
    """The inversion under that name: a preset's, or within what a model of the zoo can draw or say."""
    if preset == NAIVE:
        return method_of(model, NAIVE)
    plain = method_of(model, OURS)
    if model.media == "sound":
        plain = replace(plain, seconds=SECONDS)  # type: ignore[call-arg]
    if preset == OURS:
        return plain
    if model.media == "picture":
        return replace(plain, parametrisation=Latent(autoencoder=load_autoencoder("zoo/vae")), solver=Adam(lr=0.05))
    spoken = Spoken(writer=load_writer("zoo/speech-synthesiser"), tokens=32)
    views = (Speed(), Equaliser(decibels=8), Gain(), Noise())
    return replace(plain, parametrisation=spoken, views=views, looks=2, solver=Adam(lr=0.05))


def checkpoints(media: str, steps: int) -> tuple[int, ...]:
    """The published checkpoints of readers of these media, at the same shares of a search of so many steps."""
    last = PUBLISHED[media][-1]
    return tuple(sorted({round(k * steps / last) for k in PUBLISHED[media]}))


def compete(
    model: Reader,
    judges: Judges,
    targets: Sequence[str],
    real: Callable[[int], Tensor],
    *,
    steps: dict[str, int],
    seeds: int,
    run: Run | None,
    progress: Watch,
) -> tuple[list[dict[str, Any]], list[Block]]:
    """All contestants over all seeds.

    Args:
        model: the reader.
        judges: independent ones.
        targets: texts that should be read.
        real: seed -> (B, C, ...) real media that should be read as the targets; sounds are compared with them, too.
        steps: of each preset.
        seeds: how many.
        run: where finished searches are kept.
        progress: gives a callback for a name.

    Returns:
        Rows, one a contestant and seed, and the blocks of the first seed: what was found, and curves over the checkpoints.
    """
    rows: list[dict[str, Any]] = []
    shown: dict[str, list[Tensor]] = {}
    curves: dict[str, list[dict[str, Any]]] = {}
    ways: dict[str, Found] = {}
    for seed in range(seeds):
        media = {DATA: real(seed), NOISE: search(model, NAIVE, targets, 0, seed, None, progress).media}
        if model.media == "sound":
            media[CEILING] = LogMel(rate=model.rate or 16_000).vocoded(media[DATA]).clamp(-1, 1)
        read_at_x: dict[str, list[str]] = {}
        for preset in PRESETS:
            found = search(model, preset, targets, steps[preset], seed, run, progress)
            media[preset], read_at_x[preset] = found.media, found.x_read
            if seed == 0:
                curves[preset] = [
                    {"step": k, "read": _share(found.way_read[k], targets)}
                    | _means(judge(model, m, targets, judges))
                    | quality(model, m, media[DATA])
                    for k, m in found.way.items()
                ]
                ways[preset] = found
        for name, given in media.items():
            judged = judge(model, given, targets, judges)
            read = _share(read_at_x[name], targets) if name in read_at_x else fmean(row["match"] for row in judged)
            about = {"task": f"readings of {model.card.name}", "model": model.card.name, "features": name, "seed": seed}
            rows.append(about | {"read": read} | _means(judged) | quality(model, given, media[DATA]))
        if seed == 0:
            shown = {name: list(as_file(given, model.media)) for name, given in media.items()}
    gallery = [
        GalleryRow(
            query=medium_of(model, shown[DATA][i]),
            label=f"“{text}”, a real one",
            results={
                preset: [
                    (medium_of(model, m[i]), f"step {k}: {way.way_read[k][i]}", way.way_read[k][i] == text)
                    for k, m in way.way.items()
                ]
                for preset, way in ways.items()
            },
        )
        for i, text in enumerate(targets)
    ]
    blocks: list[Block] = [Gallery(title=f"What {model.card.name} reads as wanted", queries=gallery)]
    return rows, blocks + _figures(model, curves)


def quality(model: Reader, media: Tensor, real: Tensor) -> dict[str, float | None]:
    """Mean PESQ and STOI of sounds against real ones; None for pictures, or without the extra."""
    rows = _inverted.quality(real, media, model.rate) if model.rate else []
    told = {name: [row[name] for row in rows if row[name] is not None] for name in ("pesq", "stoi")}
    return {name: fmean(values) if values else None for name, values in told.items()}  # type: ignore[arg-type]


def _figures(model: Reader, curves: dict[str, list[dict[str, Any]]]) -> list[Block]:
    """The way, step by step, and text match against perceptual quality along it."""
    figures: list[Block] = []
    looks = {"read": "share read as wanted", "transfer": "share read so by others", "distance": "distance", "pesq": "PESQ"}
    for measure, label in looks.items():
        series: dict[str, tuple[Sequence[float], Sequence[float]]] = {
            name: ([float(max(1, row["step"])) for row in points], [row[measure] for row in points])
            for name, points in curves.items()
            if all(row.get(measure) is not None for row in points)
        }
        if series:
            title = f"{label.capitalize()}, {model.card.name}"
            figures.append(Curves(title=title, x_label="step", y_label=label, series=series, log_x=True))
    apart: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        name: ([row["distance"] for row in points], [row["read"] for row in points])
        for name, points in curves.items()
        if all(row.get("distance") is not None for row in points)
    }
    if apart:
        title = f"Read as wanted, and how far from real, {model.card.name}"
        figures.append(
            Curves(title=title, x_label="distance to real ones", y_label="share read as wanted", series=apart, log_x=True)
        )
    return figures


def table(rows: list[dict[str, Any]], model: str) -> Table:
    """Means over seeds, contestant by contestant."""
    return means(rows, f"readings of {model}", MEASURES, NOTE)


NOTE = (
    "read: share of the targets that the inverted model reads where it was searched; match: of the saved file; transfer: share "
    "that independent readers read, exactly, and of its words. distance: to the nearest real medium "
    "by statistics, 1 is usual among real ones. pesq, stoi: against a recording of the text."
)


def claims(rows: list[dict[str, Any]], model: str, medium: str) -> list[Claim]:
    """What the paper says of readers, and what we add."""
    task = f"readings of {model}"

    def of(name: str, measure: str) -> list[float]:
        return [row[measure] for row in rows if row["task"] == task and row["features"] == name]

    found = [
        Claim(
            text=f"{model}: naive inversion is read as wanted in more than 90 % of cases",
            published="the text matches",
            values=[value - 0.9 for value in of(NAIVE, "read")],
        )
    ]
    if all(value is not None for value in of(NAIVE, "transfer")):
        found += [
            Claim(
                text=f"{model}: what naive inversion finds is no {medium}: others read it hardly more often than noise (by .05)",
                published="visual or auditory chaos",
                values=[value - 0.05 for value in differences(rows, task, NAIVE, NOISE, "transfer")],
                positive=False,
            ),
            Claim(
                text=f"{model}: regularised inversion is read by others more often than naive (ours)",
                published="not tried",
                values=differences(rows, task, OURS, NAIVE, "transfer"),
            ),
            Claim(
                text=f"{model}: of the wanted words others read more in what regularised inversion finds than naive (ours)",
                published="not tried",
                values=differences(rows, task, OURS, NAIVE, "transfer_words"),
            ),
            Claim(
                text=f"{model}: of the wanted words others read more in what is found within a decoder than in naive ones (ours)",
                published="not tried",
                values=differences(rows, task, WITHIN, NAIVE, "transfer_words"),
            ),
        ]
    if all(value is not None for value in of(NAIVE, "distance")):
        found.append(
            Claim(
                text=f"{model}: regularised inversion lies nearer to real {medium}s than naive (ours)",
                published="not tried",
                values=differences(rows, task, OURS, NAIVE, "distance"),
                positive=False,
            )
        )
    return found


def _share(read: Sequence[str], targets: Sequence[str]) -> float:
    return float(exact_match(read, targets).mean())


def _means(judged: list[dict[str, Any]]) -> dict[str, float | None]:
    keys = ("match", "word_errors", "transfer", "transfer_words", "clip_score", "distance", "slope")
    return {key: None if judged[0][key] is None else fmean(row[key] for row in judged) for key in keys}
