"""Search a user's own pictures or captions under every feature map, and report it: what `obvert retrieve` runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from obvert.captions import read_captions
from obvert.core import DualEncoder, FeatureMap, Method, Progress
from obvert.io import Folder, read_folder
from obvert.metrics import linear_separability, modality_gap
from obvert.provenance import versions
from obvert.report import Block, Report, Text
from obvert.store import Run
from obvert.tasks import classification, retrieval
from obvert.tasks._apply import check, reference_of

Watch = Callable[[str], Progress | None]


def search_pictures(
    model: DualEncoder,
    folder: str | Path,
    by: list[str],
    *,
    names: list[str] | None = None,
    settings: Mapping[str, Method | FeatureMap] | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Watch = lambda name: None,
) -> Report:
    """Search a class-labelled folder of pictures, each picture against all others, and classify them by class name.

    Args:
        model: a dual encoder.
        folder: FOLDER/CLASS/picture.jpg.
        by: names of feature maps.
        names: names of things that text-PCA learns from.
        settings: {name: method or map with its settings}; the defaults of those not named.
        run: where finished pieces are kept.
        seed: of methods and intervals.
        progress: gives a progress callback for a name.

    Returns:
        The report; pictures that could not be read are among its warnings.
    """
    check(by, "image")
    data = read_folder(folder)
    features = encode(model, data, run)
    collection = retrieval.all_against_all(features, data.labels)
    reference = reference_of(model, names, image=features)
    outcomes = retrieval.compare(
        model, collection, by, reference, task="image-to-image", settings=settings, run=run, seed=seed, progress=progress
    )
    inverted = next((o.applied.queries for o in outcomes if o.applied.name == "oti"), None)
    sides = ["native"] + ["oti"] * (inverted is not None)
    classes = classification.classify(model, features, data.labels, data.classes, by=sides, inverted=inverted, seed=seed)
    texts = model.text_features([classification.prompt(c) for c in data.classes]).cpu()
    lonely = int(collection.labels.bincount().eq(1).sum())
    warnings = [f"skipped: {reason}" for reason in data.broken]
    if lonely:
        warnings.append(f"{lonely} classes have one picture: nothing is relevant to it, so it is left out of the means")
    blocks: list[Block] = [
        retrieval.table(outcomes, f"Pictures by picture: {len(data.pictures)} pictures of {len(data.classes)} classes", NOTE),
        classification.table(classes),
        retrieval.similarities(outcomes, collection, texts, seed=seed),
        retrieval.examples(outcomes, collection, lambda i: thumbnail(data.pictures[i]), lambda i: data.classes[data.labels[i]]),
        Text(title="The gap", lines=[gap_line(features, texts)]),
    ]
    return Report(
        title=f"Retrieval with {model.card.name}",
        lead=lead(outcomes),
        blocks=blocks,
        rows=[o.row for o in outcomes] + classes,
        meta=meta(model, seed) | {"pictures": len(data.pictures), "broken": len(data.broken), "classes": len(data.classes)},
        warnings=warnings,
    )


def search_texts(
    model: DualEncoder,
    captions: str | Path,
    by: list[str],
    *,
    names: list[str] | None = None,
    settings: Mapping[str, Method | FeatureMap] | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Watch = lambda name: None,
) -> Report:
    """Search a captions file: the first caption of each group against the others.

    Args:
        model: a dual encoder.
        captions: see `obvert.captions.read_captions`.
        by: names of feature maps.
        names: names of things that text-PCA learns from.
        settings: {name: method or map with its settings}; the defaults of those not named.
        run: where finished pieces are kept.
        seed: of methods and intervals.
        progress: gives a progress callback for a name.

    Returns:
        The report.
    """
    check(by, "text")
    texts, groups = read_captions(captions)
    features = model.text_features(texts).cpu()
    collection = retrieval.first_against_rest(features, groups)
    reference = reference_of(model, names, text=features)
    outcomes = retrieval.compare(
        model, collection, by, reference, task="text-to-text", settings=settings, run=run, seed=seed, progress=progress
    )
    blocks: list[Block] = [
        retrieval.table(outcomes, f"Texts by text: {len(texts)} captions in {int(groups.max()) + 1} groups", NOTE),
        retrieval.similarities(outcomes, collection, None, seed=seed),
        retrieval.examples(outcomes, collection, lambda i: texts[i], lambda i: ""),
    ]
    return Report(
        title=f"Retrieval with {model.card.name}",
        lead=lead(outcomes),
        blocks=blocks,
        rows=[o.row for o in outcomes],
        meta=meta(model, seed) | {"captions": len(texts)},
    )


NOTE = (
    "Mean over queries with a 95 % bootstrap interval over queries. OTI and OVI change the query alone; closed-form maps "
    "change queries and gallery. A query's seconds are the map's own, without encoding."
)


def encode(model: DualEncoder, data: Folder, run: Run | None) -> torch.Tensor:
    """Image features of a folder, in main memory, kept with the run."""

    def make() -> dict[str, torch.Tensor]:
        return {"features": model.image_features(data.pictures).cpu()}

    return (run.piece("image-features", make) if run else make())["features"]


def thumbnail(picture: torch.Tensor, side: int = 96) -> torch.Tensor:
    """A small copy (3, h, w) of a picture, longest side at most `side`."""
    ratio = side / max(picture.shape[1:])
    if ratio >= 1:
        return picture
    small = torch.nn.functional.interpolate(picture[None], scale_factor=ratio, mode="bilinear", antialias=True)
    return small[0].clamp(0, 1)


def gap_line(image: torch.Tensor, text: torch.Tensor) -> str:
    """The modality gap in a sentence."""
    apart, gap = linear_separability(image, text), modality_gap(image, text)
    means = f"The mean image and the mean text feature lie {gap:.2f} apart"
    return f"{means}; a linear classifier tells the two with accuracy {apart:.3f}."


def lead(outcomes: list[retrieval.Outcome]) -> str:
    """The main finding in a sentence."""
    best = max(outcomes, key=lambda o: o.row["map"])
    native = next((o for o in outcomes if o.applied.name == "native"), None)
    text = f"Best here: {best.applied.name} with mAP {best.row['map']:.3f}"
    return text + (f", native {native.row['map']:.3f}." if native and native is not best else ".")


def meta(model: DualEncoder, seed: int) -> dict[str, object]:
    """Who made a report's numbers."""
    card = model.card
    return {
        "model": card.name,
        "family": card.family,
        "revision": card.revision,
        "sha256": card.sha256,
        "device": str(model.device),
        "seed": seed,
        "versions": versions(),
    }
