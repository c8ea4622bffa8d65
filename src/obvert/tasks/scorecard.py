"""One page about a model: can its outputs be reached, and are the inputs that reach them anything?

    reachability   share of the wanted outputs that the model gives for what was found
    as file        the same, of the saved file
    naturalness    distance to the nearest real media, by features of others
    transfer       share that independent models of the same kind read as wanted
    clip score     of a dual encoder of others
    legibility     of prompts: mean cosine with the nearest words; these are judged by `_prompt_judges`
    seed spread    how much two seeds differ for one target, over how much two targets differ for one seed

The zoo's model of the same kind stands beside it, measured in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from obvert.core import ObvertError, Progress, Reader, Writer
from obvert.media import Medium
from obvert.metrics import exact_match, legibility
from obvert.provenance import versions
from obvert.report import Gallery, GalleryRow, Report, Table
from obvert.tasks import reading, writing
from obvert.tasks._judges import Judges
from obvert.tasks._prompt_judges import PromptJudges, judge_words

PHRASES = ("a purple square", "a cyan cross", "a green heart", "a yellow moon")
"""What is wanted where nothing is told: words that every model of the zoo knows, and nothing that settings were chosen on."""
REFERENCES = {
    (Reader, "picture"): "zoo/captioner",
    (Reader, "sound"): "zoo/speech-recogniser",
    (Writer, "picture"): "zoo/diffusion",
    (Writer, "sound"): "zoo/speech-synthesiser",
}
PRESETS = ("naive", "regularised")
LOOKS = {
    True: "two seeds a target, with what the model reads where it was searched",
    False: "what is wanted, then two seeds, with the nearest words",
}
Looks = list[tuple[Tensor, Sequence[str]]]
"""Media (B, C, ...) for the page, each with what is told of it."""
Watch = Callable[[str], Progress | None]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done."""

    steps: int = 200
    """Steps of every search."""
    seeds: int = 2
    """Seeds, 2 or more."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.seeds < 2:
            raise ObvertError(f"need a step or more and 2 seeds or more, got {self}")


def scorecard(
    models: Sequence[Reader | Writer],
    texts: Sequence[str],
    *,
    judges: Sequence[Any],
    size: Size | None = None,
    progress: Watch = lambda name: None,
) -> Report:
    """Score models of one kind.

    Args:
        models: the model, then those to compare it with.
        texts: what is to be read; of writers, what they draw or speak first, to be found again.
        judges: of each model, `Judges` of a reader, `PromptJudges` of a writer.
        size: how much is done.
        progress: gives a progress callback for a name.

    Returns:
        The report.

    Raises:
        ObvertError: for fewer than 2 texts, or an empty one.
    """
    size = size or Size()
    if len(texts) < 2:
        raise ObvertError(f"need 2 targets or more to tell seeds from targets, got {len(texts)}")
    if any(not text.strip() for text in texts):
        raise ObvertError(f"need texts of a word or more, got {list(texts)}")
    rows: list[dict[str, Any]] = []
    gallery: list[GalleryRow] = []
    for model, others in zip(models, judges, strict=True):
        for preset in PRESETS:
            watch = progress(f"{model.card.name}: {preset}")
            if isinstance(model, Reader):
                row, looks = _of_reader(model, preset, texts, others, size, watch)
            else:
                row, looks = _of_writer(model, preset, texts, others, size, watch)
            about = {"task": "scorecard", "model": model.card.name, "preset": preset}
            rows.append(about | row | {"dual encoder": others.encoder and others.encoder.card.name})
            shown: dict[str, Any] = {
                text: [(_shown(model, media[i]), told[i], None) for media, told in looks] for i, text in enumerate(texts[:4])
            }
            gallery.append(
                GalleryRow(query=f"{model.card.name}, {preset}", label=LOOKS[isinstance(model, Reader)], results=shown)
            )
    own = rows[: len(PRESETS)]
    best = max(own, key=lambda row: row["reachability"] or 0.0)
    reached = best["reachability"]
    columns = [key for key in rows[0] if key != "task" and any(row.get(key) is not None for row in rows)]
    return Report(
        title=f"Scorecard of {models[0].card.name}",
        lead="Nobody reads what is written: name --judges."
        if reached is None
        else f"{reached:.0%} of what is wanted is reached by the {best['preset']} search.",
        blocks=[Table(title="Scores", rows=rows, columns=columns, note=NOTE), Gallery(title="Found", queries=gallery)],
        rows=rows,
        meta={
            "models": [vars(model.card) for model in models],
            "judges": {model.card.name: list(others.readers) for model, others in zip(models, judges, strict=True)},
            "size": vars(size),
            "targets": list(texts),
            "versions": versions(),
        },
    )


NOTE = (
    "reachability: share of wanted outputs given for what was found, for a writer as its readers say; again db, "
    "log mel db: how far what is written lies from what is wanted; as file: "
    "of the saved file; distance: to real media, 1 being usual among them; transfer: share read as wanted by independent models; "
    "legibility: mean cosine with the nearest words, 1 for words. Of these words alone: in words, the share whose medium is read "
    "like the one wanted; transfer, the share that an independent dual encoder matches with the picture wanted, or that is, "
    "letter by letter, what independent readers hear; distance, to the nearest caption of others. seed spread: how much seeds "
    "differ, over how much targets do. dual encoder: that judged; scores of two are not to be compared."
)


def _of_reader(
    model: Reader, preset: str, texts: Sequence[str], judges: Judges, size: Size, watch: Progress | None
) -> tuple[dict[str, Any], Looks]:
    method = replace(reading.method_of(model, preset), steps=size.steps)
    found = [method(model, texts, seed=seed, progress=watch).cpu() for seed in range(size.seeds)]
    judged = [row for one in found for row in reading.judge(model, one.features, texts, judges)]
    scores: dict[str, Any] = {"reachability": fmean(float(exact_match(one.texts, texts).mean()) for one in found)}
    for name, key in (("as file", "match"), ("distance", "distance"), ("transfer", "transfer"), ("clip score", "clip_score")):
        scores[name] = None if judged[0][key] is None else fmean(row[key] for row in judged)
    looks: Looks = [(one.features, [f"“{text}”" for text in one.texts]) for one in found[:2]]
    return scores | {"seed spread": spread([one.features for one in found])}, looks


def _of_writer(
    model: Writer, preset: str, texts: Sequence[str], judges: PromptJudges, size: Size, watch: Progress | None
) -> tuple[dict[str, Any], Looks]:
    wanted = reading.as_file(model.draw(list(texts)).cpu(), model.media)
    method = replace(writing.method_of(model, preset), steps=size.steps)
    found = [method(model, wanted, seed=seed, progress=watch).cpu() for seed in range(size.seeds)]
    media = [one.features for one in found]
    said = {name: reader.read(list(wanted)) for name, reader in judges.readers.items()}
    again = [
        float(exact_match(reader.read(list(reading.as_file(m, model.media))), said[name]).mean())
        for m in media
        for name, reader in judges.readers.items()
    ]
    near = [writing.nearness(model, m, wanted) for m in media]
    placed = [writing.places(model, one.x) for one in found]
    legible = [legibility(rows, model.vocabulary).mean().item() for rows in placed if rows is not None]
    scores: dict[str, Any] = {"reachability": fmean(again) if again else None}
    scores |= {name.replace("_", " "): fmean(one[name].mean().item() for one in near) for name in near[0]}
    scores["legibility"] = fmean(legible) if legible else None
    judged = [judge_words(model, one.texts, wanted, judges) for one in found if one.texts]
    for name in judged[0] if judged else ():
        shares = [row[name] for row in judged]
        scores[name] = None if None in shares else fmean(share for share in shares if share is not None)
    looks: Looks = [(wanted, ["wanted"] * len(texts))]
    for one in found[:2]:
        words = method.spelled(model, one.x) or [""] * len(texts)
        looks.append((one.features, [text[:60] for text in words]))
    return scores | {"seed spread": spread(media)}, looks


def spread(media: Sequence[Tensor]) -> float:
    """How much seeds differ, over how much targets do.

    Args:
        media: of each seed (B, C, ...); sounds of other lengths are compared over the shortest.

    Returns:
        Root mean square difference of two seeds for one target over that of two targets for one seed; 1 where the seed
        matters as much as the target, infinity where targets make no difference.
    """
    length = min(m.shape[-1] for m in media)
    stacked = torch.stack([m[..., :length].flatten(1) for m in media]).double()
    seeds = fmean((a - b).square().mean().item() for a, b in combinations(stacked, 2))
    targets = fmean((a - b).square().mean().item() for a, b in combinations(stacked.transpose(0, 1), 2))
    return (seeds / targets) ** 0.5 if targets else float("inf")


def _shown(model: Reader | Writer, data: Tensor) -> Medium:
    return Medium(kind=model.media, data=reading.as_file(data, model.media), rate=model.rate)
