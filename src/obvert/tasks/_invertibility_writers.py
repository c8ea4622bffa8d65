"""The writers' half of the invertibility experiments: what a text-to-image model or a synthesiser has to be told.

Targets are media whose texts are known. Naive inversion searches embeddings, regularised inversion tokens; beside them stand
the true prompt, which shows what the judges give at best, and a prompt drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from obvert.core import Progress, Reader, Writer
from obvert.metrics import exact_match, legibility
from obvert.report import Block, Curves, Gallery, GalleryRow, Table
from obvert.store import Run
from obvert.tasks._claims import Claim, differences, means
from obvert.tasks._inverted import as_file, medium_of
from obvert.tasks.writing import method_of, nearness, places, vocabulary

Watch = Callable[[str], Progress | None]
NAIVE, OURS, DATA, NOISE = "naive", "regularised", "true prompt", "random prompt"
EVERY = 25
"""Steps from one published look to the next."""
PLACES = 8
"""Tokens of a random prompt."""
MEASURES = ("again_db", "log_mel_db", "legibility", "words_found", "cycle")


@dataclass(frozen=True, kw_only=True)
class Told:
    """Prompts of one contestant and seed."""

    x: Tensor
    """(B, n, d) or (B, *p) what was found."""
    media: Tensor
    """(B, C, ...) what is written from it."""
    words: list[str]
    """The nearest words."""
    way: dict[int, Tensor] = field(default_factory=dict)
    """{step: media written} at the checkpoints."""


def search(model: Writer, preset: str, wanted: Tensor, steps: int, seed: int, run: Run | None, progress: Watch) -> Told:
    """Invert media under a preset; finished searches are kept in the run, and of the first seed the way."""
    method = replace(method_of(model, preset), steps=steps, snapshots=() if seed else (*range(0, steps, EVERY), steps))

    def make() -> dict[str, Tensor]:
        found = method(model, wanted, seed=seed, progress=progress(f"{model.card.name}: {preset}, seed {seed}")).cpu()
        return {"x": found.x, "media": found.features} | {f"way-{k}": m for k, m in found.snapshot_features.items()}

    piece = run.piece(f"{model.card.name.split('/')[-1]}-{preset}-{seed}", make) if run else make()
    way = {int(name[4:]): media for name, media in piece.items() if name.startswith("way-")}
    words = method.spelled(model, piece["x"])
    return Told(x=piece["x"], media=piece["media"], words=words, way=dict(sorted(way.items())))


def compete(
    model: Writer,
    readers: Mapping[str, Reader],
    texts: Sequence[str],
    real: Callable[[int], Tensor],
    *,
    steps: dict[str, int],
    seeds: int,
    run: Run | None,
    progress: Watch,
) -> tuple[list[dict[str, Any]], list[Block]]:
    """All contestants over all seeds.

    Args:
        model: the writer.
        readers: that read what is written again.
        texts: B of them, that the media show or say.
        real: seed -> (B, C, ...) media.
        steps: of each preset.
        seeds: how many.
        run: where finished searches are kept.
        progress: gives a callback for a name.

    Returns:
        Rows, one a contestant and seed, and what was written for the first seed.
    """
    rows: list[dict[str, Any]] = []
    gallery: list[GalleryRow] = []
    for seed in range(seeds):
        wanted = real(seed)
        said = {name: reader.read(list(as_file(wanted, model.media))) for name, reader in readers.items()}
        ids, table = model.tokens(texts), model.vocabulary.float()
        draw = torch.randn(PLACES, table.shape[1], generator=torch.Generator().manual_seed(seed))
        random = model.sentence((table.mean() + table.std() * draw).expand(len(texts), -1, -1))
        true = model.embed(ids)

        def own(rows: Tensor, count: int) -> Tensor:
            return rows[:, model.words[0] :][:, :count]

        with torch.no_grad():
            given = {
                DATA: Told(x=own(true, 1), media=model.write(model.prompt(true)), words=list(texts)),
                NOISE: Told(x=own(random, PLACES), media=model.write(model.prompt(random)), words=[""] * len(texts)),
            }
        for preset in (NAIVE, OURS):
            given[preset] = search(model, preset, wanted, steps[preset], seed, run, progress)
        for name, told in given.items():
            rows.append(
                {"task": f"prompts of {model.card.name}", "model": model.card.name, "features": name, "seed": seed}
                | _judged(model, told, wanted, texts, readers, said)
            )
        if seed == 0:
            gallery = [
                GalleryRow(
                    query=medium_of(model, wanted[i]),
                    label=f"“{text}”",
                    results={name: _shown(model, told, i) for name, told in given.items()},
                )
                for i, text in enumerate(texts)
            ]
            figures = _figures(model, given, wanted, readers, said)
            for name in (DATA, NAIVE, OURS):
                figures += vocabulary(model, given[name].x, [f"“{texts[0]}”, {name}, {model.card.name}"], 1)
    return rows, [Gallery(title=f"What {model.card.name} has to be told", queries=gallery), *figures]


def _shown(model: Writer, told: Told, i: int) -> list[tuple[Any, str, bool | None]]:
    """One medium of a contestant, on the way and at last."""
    way: list[tuple[Any, str, bool | None]] = [(medium_of(model, m[i]), f"step {k}", None) for k, m in few(told.way).items()]
    return [*way, (medium_of(model, told.media[i]), told.words[i][:50], None)]


def few(way: Mapping[int, Tensor], count: int = 4) -> dict[int, Tensor]:
    """Some of the checkpoints before the last, evenly apart, the first among them."""
    steps = list(way)[:-1]
    chosen = {steps[round(i * (len(steps) - 1) / max(1, count - 1))] for i in range(count)} if steps else set()
    return {k: way[k] for k in sorted(chosen)}


def _figures(
    model: Writer, given: Mapping[str, Told], wanted: Tensor, readers: Mapping[str, Reader], said: Mapping[str, list[str]]
) -> list[Block]:
    """Along the way: how near what is written comes, and whether it is read as the target is."""
    ways = {name: told.way for name, told in given.items() if told.way}

    def curves(measure: Callable[[Tensor], float]) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
        return {name: ([float(k) for k in way], [measure(m) for m in way.values()]) for name, way in ways.items()}

    def near(media: Tensor) -> float:
        (found,) = nearness(model, media, wanted).values()
        return found.mean().item()

    def read(media: Tensor) -> float:
        seen = list(as_file(media, model.media))
        return fmean(float(exact_match(reader.read(seen), said[name]).mean()) for name, reader in readers.items())

    title = f"{model.card.name}, every {EVERY} steps"
    figures: list[Block] = [Curves(title=f"Written again, {title}", x_label="step", y_label="error (dB)", series=curves(near))]
    if readers:
        figures.append(
            Curves(title=f"Read as the target, {title}", x_label="step", y_label="share read as the target", series=curves(read))
        )
    return figures


def _judged(
    model: Writer,
    told: Told,
    wanted: Tensor,
    texts: Sequence[str],
    readers: Mapping[str, Reader],
    said: Mapping[str, list[str]],
) -> dict[str, float | None]:
    placed, media = places(model, told.x), as_file(told.media.detach().cpu(), model.media)
    cycles = [float(exact_match(reader.read(list(media)), said[name]).mean()) for name, reader in readers.items()]
    return {
        **{name: value.mean().item() for name, value in nearness(model, media, wanted).items()},
        "legibility": None if placed is None else legibility(placed, model.vocabulary).mean().item(),
        "words_found": fmean(shared_words(found, text) for found, text in zip(told.words, texts, strict=True)),
        "cycle": fmean(cycles) if cycles else None,
    }


def shared_words(found: str, wanted: str) -> float:
    """Agreement of the words of two texts, each word once: F1, 1 for the same words, 0 for none in common."""
    one, other = set(found.split()), set(wanted.split())
    return 2 * len(one & other) / (len(one) + len(other))


def table(rows: list[dict[str, Any]], model: str) -> Table:
    """Means over seeds, contestant by contestant."""
    return means(rows, f"prompts of {model}", MEASURES, NOTE)


NOTE = (
    "again db: mean squared error of the picture that is written again; log mel db: mean difference of the sound. legibility: "
    "mean cosine with the nearest words. words found: agreement (F1) of the nearest words with the true text's. cycle: share "
    "read as the target is."
)


def claims(rows: list[dict[str, Any]], model: str) -> list[Claim]:
    """What the paper says of writers, and what we add."""
    task = f"prompts of {model}"
    naive = [row for row in rows if row["task"] == task and row["features"] == NAIVE]
    return [
        Claim(
            text=f"{model}: the nearest words of a naive prompt lie far: their cosine is below .15",
            published="below .15 in tables of 50,000 words",
            values=[row["legibility"] - 0.15 for row in naive],
            positive=False,
        ),
        Claim(
            text=f"{model}: regularised inversion finds more of the true words than naive (ours)",
            published="nonsense tokens",
            values=differences(rows, task, OURS, NAIVE, "words_found"),
        ),
        Claim(
            text=f"{model}: what a regularised prompt writes is read as the target more often than a naive one's (ours)",
            published="not tried",
            values=differences(rows, task, OURS, NAIVE, "cycle"),
        ),
    ]
