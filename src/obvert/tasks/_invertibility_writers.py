"""The writers' half of the invertibility experiments: what a text-to-image model or a synthesiser has to be told.

Targets are media whose texts are known. Naive inversion searches embeddings, regularised inversion tokens; beside them stand
the true prompt, which shows what the judges give at best, and a prompt drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from obvert.core import Progress, Reader, Writer
from obvert.metrics import exact_match, legibility
from obvert.report import Block, Gallery, GalleryRow, Table
from obvert.store import Run
from obvert.tasks._claims import Claim, differences
from obvert.tasks.reading import as_file
from obvert.tasks.writing import again_db, medium_of, method_of, places

Watch = Callable[[str], Progress | None]
NAIVE, OURS, DATA, NOISE = "naive", "regularised", "true prompt", "random prompt"
PLACES = 8
"""Tokens of a random prompt."""
MEASURES = ("again_db", "legibility", "words_found", "cycle")


def search(
    model: Writer, preset: str, wanted: Tensor, steps: int, seed: int, run: Run | None, progress: Watch
) -> tuple[Tensor, Tensor, list[str]]:
    """Invert media under a preset: what was found, what is written from it, its nearest words."""
    method = replace(method_of(model, preset), steps=steps)

    def make() -> dict[str, Tensor]:
        found = method(model, wanted, seed=seed, progress=progress(f"{model.card.name}: {preset}, seed {seed}")).cpu()
        return {"x": found.x, "media": found.features}

    piece = run.piece(f"{model.card.name.split('/')[-1]}-{preset}-{seed}", make) if run else make()
    return piece["x"], piece["media"], method.spelled(model, piece["x"])


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
        with torch.no_grad():
            given = {
                DATA: (true[:, model.words[0] :][:, :1], model.write(model.prompt(true)), list(texts)),
                NOISE: (random[:, model.words[0] :][:, :PLACES], model.write(model.prompt(random)), [""] * len(texts)),
            }
        for preset in (NAIVE, OURS):
            given[preset] = search(model, preset, wanted, steps[preset], seed, run, progress)
        for name, (x, media, words) in given.items():
            media = as_file(media.detach().cpu(), model.media)
            rows.append(
                {"task": f"prompts of {model.card.name}", "model": model.card.name, "features": name, "seed": seed}
                | _judged(model, x, media, words, wanted, texts, readers, said)
            )
        if seed == 0:
            gallery = [
                GalleryRow(
                    query=medium_of(model, wanted[i]),
                    label=f"“{text}”",
                    results={
                        "written": [
                            (medium_of(model, media[i]), f"{name}: {words[i][:50]}", None)
                            for name, (_, media, words) in given.items()
                        ]
                    },
                )
                for i, text in enumerate(texts)
            ]
    return rows, [Gallery(title=f"What {model.card.name} has to be told", queries=gallery)]


def _judged(
    model: Writer,
    x: Tensor,
    media: Tensor,
    words: Sequence[str],
    wanted: Tensor,
    texts: Sequence[str],
    readers: Mapping[str, Reader],
    said: Mapping[str, list[str]],
) -> dict[str, float | None]:
    placed = places(model, x)
    cycles = [float(exact_match(reader.read(list(media)), said[name]).mean()) for name, reader in readers.items()]
    return {
        "again_db": again_db(media, wanted).mean().item(),
        "legibility": None if placed is None else legibility(placed, model.vocabulary).mean().item(),
        "words_found": fmean(shared_words(found, text) for found, text in zip(words, texts, strict=True)),
        "cycle": fmean(cycles) if cycles else None,
    }


def shared_words(found: str, wanted: str) -> float:
    """Agreement of the words of two texts, each word once: F1, 1 for the same words, 0 for none in common."""
    one, other = set(found.split()), set(wanted.split())
    return 2 * len(one & other) / (len(one) + len(other))


def table(rows: list[dict[str, Any]], model: str) -> Table:
    """Means over seeds, contestant by contestant."""
    mine = [row for row in rows if row["task"] == f"prompts of {model}"]
    columns = [name for name in MEASURES if any(row.get(name) is not None for row in mine)]
    return Table(
        title=f"Prompts of {model}",
        rows=mine,
        columns=["features", *columns],
        intervals={name: f"{name}_interval" for name in columns},
        note=NOTE,
    )


NOTE = (
    "again db: mean squared error of what is written again. legibility: mean cosine with the nearest words. "
    "words found: agreement (F1) of the nearest words with the true text's. cycle: share read as the target is."
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
