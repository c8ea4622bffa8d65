"""What a vision-language model sees as a concept: every version of MIMIC on the zoo, judged by those it never saw.

A concept is a single thing; the versions differ in what they ask of its picture. Each is run again less one term. Judges: a
dual encoder that names colour and shape among all 64 kinds, another vision-language model and a captioner that describe the
picture, statistics of scenes.

References:
    | MIMIC: Multimodal Inversion for Model Interpretation and Conceptualization (2025)
    | https://arxiv.org/abs/2508.07833
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from obvert.core import ObvertError, Progress, Reader
from obvert.metrics import class_score, clip_scores, exact_match, frechet_control, frechet_distance, rank_of
from obvert.models import load_reader
from obvert.provenance import versions
from obvert.report import Block, Gallery, GalleryRow, Report, Table, Text
from obvert.store import Run
from obvert.tasks._claims import STUDENT, Claim, differences, means, summarise
from obvert.tasks._inverted import as_file, medium_of
from obvert.tasks._judges import Judges, judges_of
from obvert.tasks._mimic_contestants import NAIVE, OURS, V1, V2, VERSIONS, Contestant, ablated, contestants, real_of
from obvert.tasks.invertibility import kinds as concepts_of
from obvert.tasks.reading import distance
from obvert.zoo.exam import caption_of, kinds

MODEL = "zoo/vlm"
DATA, NOISE = "data", "noise"
NAMED = ("both", "top5", "colour", "shape")
MEASURES = (*NAMED, "read", "transfer", "captioned", "clip_score", "distance", "frechet", "class_score", "diversity")
Watch = Callable[[str], Progress | None]
PUBLISHED = [
    {"what": "top-1 by MobileNetV2, whose statistics were in the loss", "published": "41.25 %"},
    {"what": "CLIPScore", "published": "27.42"},
]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done."""

    concepts: int = 32
    """Single things, of 60."""
    seeds: int = 3
    """Seeds, 2 to 10."""
    steps: int = 300
    """Steps of every search; 5,000 and 500 to 1,500 were published."""
    ablated: int = 8
    """Concepts on which each version is run less one term, all where there are fewer; 0 for none."""
    real: int = 16
    """Real pictures of each concept, whose inner statistics are wanted."""

    def __post_init__(self) -> None:
        wrong = self.seeds not in STUDENT or self.steps < 1 or self.real < 1
        if wrong or not 2 <= self.concepts <= 60 or self.ablated < 0 or self.ablated == 1:
            told = f"{self.concepts} concepts, {self.ablated} ablated, {self.seeds} seeds, {self.steps} steps, {self.real} real"
            raise ObvertError(
                f"need 2 to 60 concepts, 0 or 2 ablated or more, 2 to 10 seeds, 1 step and real or more, got {told}"
            )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What judges need besides pictures."""

    model: Reader
    judges: Judges
    names: Tensor
    """(64, d) features of all kinds."""
    real: Tensor
    """(M, d) features of scenes."""


def mimic(folder: Path, *, size: Size | None = None, run: Run | None = None, progress: Watch = lambda name: None) -> Report:
    """Run every experiment.

    Args:
        folder: unused: nothing is trained on the way.
        size: how much is done.
        run: where finished searches are kept.
        progress: gives a progress callback for a name.

    Returns:
        The report.
    """
    size = size or Size()
    model = load_reader(MODEL)
    judges = judges_of(MODEL, model)
    assert judges.encoder is not None
    names = judges.encoder.text_features([caption_of(kind) for kind in kinds()])
    seen = Seen(model=model, judges=judges, names=names, real=judges.encoder.image_features(list(judges.real)))
    concepts = concepts_of(size.concepts)
    whole = compete(seen, contestants(size.steps), concepts, size, run, progress)
    rows = judged(seen, "concepts", whole, concepts, size)
    if size.ablated:
        few = concepts[: size.ablated]
        less = compete(seen, ablated(size.steps), few, size, run and run.within("less"), progress)
        less = {name: found[:, : len(few)] for name, found in whole.items()} | less
        rows += judged(seen, "each less one term", dict(sorted(less.items())), few, size)
    found = [claim.row() for claim in claims(rows)]
    table = summarise(rows)
    held = sum(claim["holds here"] == "yes" for claim in found)
    told = [
        {"task": "claims", "model": MODEL, "features": c["claim"]} | {k: v for k, v in c.items() if k != "claim"} for c in found
    ]
    control, low, high = frechet_control(seen.real.cpu(), min(size.concepts, len(seen.real) - 2))
    context = [*PUBLISHED, {"what": "Frechet distance of as many real scenes", "here": f"{control:.3f} [{low:.3f}, {high:.3f}]"}]
    blocks: list[Block] = [
        Table(title="Claims and what holds here", rows=found, intervals={"here": "here_interval"}, note=CLAIMS),
        means(table, "concepts", MEASURES, NOTE),
        gallery(seen.model, whole, concepts, size),
        *([means(table, "each less one term", MEASURES, ABLATED)] if size.ablated else []),
        Table(title="For context only", rows=context, note="Of other models, pictures and judges."),
        Text(title="How to read this", lines=READING),
    ]
    return Report(
        title="What a vision-language model sees as a concept, on the zoo",
        lead=f"{held} of {len(found)} claims hold here, over {size.seeds} seeds of {size.concepts} concepts.",
        blocks=blocks,
        rows=table + told,
        meta={"size": vars(size), "versions": versions()},
    )


def compete(
    seen: Seen, given: dict[str, Contestant], concepts: Sequence[str], size: Size, run: Run | None, progress: Watch
) -> dict[str, Tensor]:
    """Search as every contestant from every seed: {name: (seeds, B, 3, H, W)}; finished searches are kept in the run."""
    found: dict[str, list[Tensor]] = {name: [] for name in given}
    for seed in range(size.seeds):
        real = [real_of(concept, size.real, seed) for concept in concepts]
        for name, one in given.items():

            def make(name: str = name, one: Contestant = one, seed: int = seed, real: list[Tensor] = real) -> dict[str, Tensor]:
                watch = progress(f"{name}, seed {seed}")
                x = one.method(seen.model, concepts, real=real if one.real else None, seed=seed, progress=watch)
                return {"x": x.features.cpu()}

            piece = run.piece(f"{name.replace(' ', '_')}-{seed}", make) if run else make()
            found[name].append(piece["x"])
    return {name: torch.stack(media) for name, media in found.items()}


def judged(seen: Seen, task: str, found: dict[str, Tensor], concepts: Sequence[str], size: Size) -> list[dict[str, Any]]:
    """A row for each contestant and seed, real scenes and noise besides."""
    naive = contestants(0)[NAIVE].method
    noise = torch.stack([naive(seen.model, concepts, seed=seed).features.cpu() for seed in range(size.seeds)])
    data = torch.stack([torch.cat([real_of(c, 1, 1000 + seed) for c in concepts]) for seed in range(size.seeds)])
    everyone = {DATA: data} | found | {NOISE: noise}
    rows = []
    for name, media in everyone.items():
        varied = diversity(seen, media) / diversity(seen, data)
        for seed, some in enumerate(media):
            about = {"task": task, "model": MODEL, "features": name, "seed": seed}
            rows.append(about | judge(seen, some, concepts) | {"diversity": varied})
    return rows


def judge(seen: Seen, media: Tensor, concepts: Sequence[str]) -> dict[str, float]:
    """Means over concepts of what every judge says of the saved files."""
    pictures = list(as_file(media, "picture"))
    encoder, columns = seen.judges.encoder, len(kinds()) // 8
    assert encoder is not None
    image = encoder.image_features(pictures)
    wanted = torch.tensor([kinds().index(" ".join(concept.split()[1:])) for concept in concepts], device=image.device)
    rank, best = rank_of(image, seen.names, wanted), (image @ seen.names.T).argmax(1)
    readers = {name: exact_match(reader.read(pictures), concepts) for name, reader in seen.judges.readers.items()}
    other, captioner = readers.values()
    return {
        "both": (rank < 1).double().mean().item(),
        "top5": (rank < 5).double().mean().item(),
        "colour": (best // columns == wanted // columns).double().mean().item(),
        "shape": (best % columns == wanted % columns).double().mean().item(),
        "read": exact_match(seen.model.read(pictures), concepts).mean().item(),
        "transfer": other.mean().item(),
        "captioned": captioner.mean().item(),
        "clip_score": clip_scores(encoder, pictures, concepts)["clip_score"].mean().item(),
        "distance": distance(torch.stack(pictures), seen.judges.real, None).mean().item(),
        "frechet": frechet_distance(image.cpu(), seen.real.cpu()),
        "class_score": class_score(image, seen.names),
    }


def diversity(seen: Seen, media: Tensor) -> float:
    """How much seeds differ for one concept: 1 less the mean cosine of the dual encoder's features, over pairs of seeds."""
    assert seen.judges.encoder is not None
    features = [seen.judges.encoder.image_features(list(as_file(some, "picture"))) for some in media]
    return fmean(1 - cosine_similarity(a, b).mean().item() for a, b in combinations(features, 2))


def claims(rows: list[dict[str, Any]]) -> list[Claim]:
    """What the paper says, and what we add."""

    def of(name: str, measure: str) -> list[float]:
        return [row[measure] for row in rows if row["task"] == "concepts" and row["features"] == name]

    def beyond(one: str, other: str, measure: str = "both", by: float = 0.0) -> list[float]:
        return [value - by for value in differences(rows, "concepts", one, other, measure)]

    found = [
        Claim(
            text="an independent judge names colour and shape of what v1 finds in more than 41 % of cases",
            published="top-1 41.25 %, by a network that was in the loss",
            values=[value - 0.4125 for value in of(V1, "both")],
        ),
        *(
            Claim(
                text=f"colour and shape are named more often than of naive ones: {name}",
                published="yes",
                values=beyond(name, NAIVE),
            )
            for name in (V1, V2)
        ),
        Claim(
            text="colour and shape are named by 30 points more often than of naive ones: ours",
            published="not tried",
            values=beyond(OURS, NAIVE, by=0.3),
        ),
        *(
            Claim(text=f"ours is named more often than {name}", published="not tried", values=beyond(OURS, name))
            for name in (V1, V2)
        ),
        Claim(
            text="another vision-language model reads ours as wanted more often than naive ones",
            published="not tried",
            values=beyond(OURS, NAIVE, "transfer"),
        ),
        Claim(
            text="ours lies nearer to scenes than naive ones",
            published="not tried",
            values=beyond(OURS, NAIVE, "distance"),
            positive=False,
        ),
    ]
    if any(row["task"] == "each less one term" for row in rows):
        found += [
            Claim(
                text=f"{name} is named less often without its features",
                published="yes, by FID and CLIPScore",
                values=differences(rows, "each less one term", f"{name} - features", name, "both"),
                positive=False,
            )
            for name in (V1, V2, OURS)
        ]
    return found


def gallery(model: Reader, found: dict[str, Tensor], concepts: Sequence[str], size: Size) -> Gallery:
    """What every version found of the first concepts, from the first seed."""
    shown = []
    for i, concept in enumerate(concepts[:16]):
        looks: list[tuple[Any, str, bool | None]] = [(medium_of(model, found[name][0, i]), name, None) for name in VERSIONS]
        shown.append(GalleryRow(query=medium_of(model, real_of(concept, 1, 1000)[0]), label=f"“{concept}”", results={"": looks}))
    return Gallery(title="Concepts", queries=shown, note="Left a real scene; then what each version found, from the first seed.")


NOTE = (
    "both: share of pictures that an independent dual encoder takes for the right one of 64 kinds, colour and shape; top5: "
    "among its first five. read: by the inverted model, of the saved file; transfer: by another vision-language model; "
    "captioned: by a captioner; all to the word. distance: to the nearest scene by statistics, 1 is usual among scenes. frechet, "
    "class score: the formulas of FID and IS with the zoo's own features, not to be compared with published ones. diversity: how "
    "much seeds differ, over how much real scenes of one kind do."
)
ABLATED = "On fewer concepts. VERSION - TERM is the version less that term."
CLAIMS = "Differences as told, means over seeds with 95 % intervals. Unclear: the interval holds 0."
READING = [
    "Data are real scenes of the concepts: what the judges give at best. Noise is where the naive search starts.",
    "All versions take as many steps and start from the same seeds; v1, v2 and ours see the same real pictures of each concept, "
    "whose inner statistics they want. The priors and schedules of v1 and v2 are as published; v1's verifier is the encoder "
    "of zoo/vae, which judges nothing.",
    "No judge is in the loss: the dual encoder, the other vision-language model and the captioner began with another "
    "tower and other seeds.",
]
