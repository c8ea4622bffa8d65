"""Search a user's own pictures or captions under every feature map, and report it: what `obvert retrieve` runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch

from obvert.captions import read_captions
from obvert.core import DualEncoder, FeatureMap, Fitted, Method, PictureSet, Progress, Reference, Stored, TextSet
from obvert.datasets import folder
from obvert.io import read_images
from obvert.metrics import linear_separability, modality_gap
from obvert.provenance import versions
from obvert.report import Block, Report, Text
from obvert.store import Run
from obvert.tasks import classification, retrieval
from obvert.tasks._apply import check, reference_of
from obvert.tasks._auto import choose_all, explain, hold_out
from obvert.tasks._encode import encode
from obvert.tasks._signs import counter_evidence

Watch = Callable[[str], Progress | None]


def search_pictures(
    model: DualEncoder,
    pictures: PictureSet | str | Path,
    by: list[str],
    *,
    names: list[str] | None = None,
    settings: Mapping[str, Method | FeatureMap | Fitted] | None = None,
    run: Run | None = None,
    allow_single: bool = False,
    seed: int = 0,
    progress: Watch = lambda name: None,
) -> Report:
    """Search pictures by picture under every feature map, and classify the queries by class name.

    Where queries are judged one by one, classes are not what is to be found, and nothing is classified.

    Args:
        model: a dual encoder.
        pictures: a data set as `obvert.datasets.read` gives it, or a folder FOLDER/CLASS/picture.jpg.
        by: names of feature maps.
        names: names of things that text-PCA learns from.
        settings: {name: method or map with its settings, or a fitted map}; the defaults of those not named.
        run: where finished pieces are kept.
        allow_single: take classes of one picture, which have nothing to find.
        seed: of methods and intervals.
        progress: gives a progress callback for a name.

    Returns:
        The report; pictures that could not be read are among its warnings.
    """
    check(by, "image")
    given = pictures if isinstance(pictures, PictureSet) else folder.read(Path(pictures))
    retrieval.check_classes(given, allow_single=allow_single)
    encoded = encode(model, given, run=run, progress=progress("pictures"))
    data, features = encoded.pictures, encoded.features

    def shown(row: int) -> torch.Tensor:
        return thumbnail(data.paths[row])

    collection = retrieval.as_split(data, features)
    reference = reference_of(model, names, image=features[collection.gallery_rows])
    collection, outcomes, told = _compare(
        model, collection, by, reference, task="image-to-image", settings=settings, run=run, seed=seed, progress=progress
    )
    classes = [] if data.judged else classified(model, collection, data.classes, outcomes, seed=seed)
    texts = model.text_features([classification.prompt(c) for c in data.classes]).cpu()
    labels = torch.tensor(data.labels)
    signs = [] if data.judged else [counter_evidence(model.card.name, features, labels, texts, shown, seed=seed)]
    warnings = [f"skipped: {reason}" for reason in encoded.broken]
    blocks: list[Block] = [
        retrieval.table(outcomes, f"Pictures by picture: {len(data.paths)} pictures of {len(set(data.labels))} classes", NOTE),
        *told,
        *([classification.table(classes)] if classes else []),
        retrieval.similarities(outcomes, collection, texts, seed=seed),
        retrieval.examples(outcomes, collection, shown, lambda i: data.classes[data.labels[i]]),
        Text(title="The gap", lines=[gap_line(features, texts)]),
        *signs,
    ]
    return Report(
        title=f"Retrieval with {model.card.name}",
        lead=lead(outcomes),
        blocks=blocks,
        rows=[o.row for o in outcomes] + classes + [row for table in signs for row in table.rows],
        meta=meta(model, seed) | {"pictures": len(data.paths), "broken": len(encoded.broken), "classes": len(set(data.labels))},
        warnings=warnings + undefined(outcomes),
    )


def search_texts(
    model: DualEncoder,
    captions: TextSet | str | Path,
    by: list[str],
    *,
    names: list[str] | None = None,
    settings: Mapping[str, Method | FeatureMap | Fitted] | None = None,
    run: Run | None = None,
    seed: int = 0,
    progress: Watch = lambda name: None,
) -> Report:
    """Search texts by text under every feature map: queries against their gallery, or first captions against the others.

    Args:
        model: a dual encoder.
        captions: a data set as `obvert.datasets.read` gives it, or a file, see `obvert.captions.read_captions`.
        by: names of feature maps.
        names: names of things that text-PCA learns from.
        settings: {name: method or map with its settings, or a fitted map}; the defaults of those not named.
        run: where finished pieces are kept.
        seed: of methods and intervals.
        progress: gives a progress callback for a name.

    Returns:
        The report.
    """
    check(by, "text")
    data = captions if isinstance(captions, TextSet) else read_captions(captions)
    texts = data.texts
    features = model.text_features(texts).cpu()
    collection = retrieval.as_split(data, features)
    reference = reference_of(model, names, text=features[collection.gallery_rows])
    collection, outcomes, told = _compare(
        model, collection, by, reference, task="text-to-text", settings=settings, run=run, seed=seed, progress=progress
    )
    blocks: list[Block] = [
        retrieval.table(outcomes, f"Texts by text: {len(texts)} texts in {len(set(data.groups))} groups", NOTE),
        *told,
        retrieval.similarities(outcomes, collection, None, seed=seed),
        retrieval.examples(outcomes, collection, lambda i: shorten(texts[i], SHOWN, placeholder=" …"), lambda i: ""),
    ]
    return Report(
        title=f"Retrieval with {model.card.name}",
        lead=lead(outcomes),
        blocks=blocks,
        rows=[o.row for o in outcomes],
        meta=meta(model, seed) | {"captions": len(texts)},
        warnings=undefined(outcomes),
    )


def _compare(
    model: DualEncoder, collection: retrieval.Collection, by: list[str], reference: Reference, *, task: str, **rest: Any
) -> tuple[retrieval.Collection, list[retrieval.Outcome], list[Block]]:
    """Compare feature maps, "auto" among them: what is tested is then what is left of the collection."""
    if "auto" not in by:
        return collection, retrieval.compare(model, collection, by, reference, task=task, **rest), []
    validation, collection = hold_out(collection, seed=rest["seed"])
    choice = choose_all(model, validation, reference, **rest)
    outcomes = retrieval.compare(model, collection, [name for name in by if name != "auto"], reference, task=task, **rest)
    named = {key: rest[key] for key in ("run", "seed")} | {"progress": rest["progress"]("auto")}
    applied = choice.apply(model, collection, reference, **named)
    outcomes.append(retrieval.judge(applied, collection, task=task, model=model.card.name, seed=rest["seed"]))
    outcomes[-1].row["chosen"] = choice.label
    return collection, outcomes, explain(choice, validation)


SHOWN = 300
"""Characters of a text that an example shows."""
NOTE = (
    "Mean over queries with a 95 % bootstrap interval over queries. OTI and OVI change the query alone; closed-form maps "
    "change queries and gallery. A query's seconds are the map's own, without encoding."
)


def thumbnail(path: Path | Stored, side: int = 96) -> torch.Tensor:
    """A small copy (3, h, w) of a picture, longest side at most `side`."""
    (picture,) = read_images(path)
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


def classified(
    model: DualEncoder, collection: retrieval.Collection, classes: list[str], outcomes: list[retrieval.Outcome], *, seed: int
) -> list[dict[str, Any]]:
    """Rows of zero-shot classification of the queries, with native features and, where there are any, OTI's."""
    asked, labels = collection.features[collection.query_rows], collection.labels[collection.query_rows]
    inverted = next((o.applied.queries for o in outcomes if o.applied.name == "oti"), None)
    sides = ["native"] + ["oti"] * (inverted is not None)
    return classification.classify(model, asked, labels, classes, by=sides, inverted=inverted, seed=seed)


def undefined(outcomes: list[retrieval.Outcome]) -> list[str]:
    """A warning for each level at which some queries have nothing to find."""
    lonely = {o.row["task"]: o.row["undefined_queries"] for o in outcomes}
    return [
        f"{task}: {count} queries have nothing relevant in the gallery; they are left out of the means"
        for task, count in lonely.items()
        if count
    ]


def lead(outcomes: list[retrieval.Outcome]) -> str:
    """The main finding in a sentence, one for each level."""
    said = []
    for task in dict.fromkeys(o.row["task"] for o in outcomes):
        rivals = [o for o in outcomes if o.row["task"] == task]
        best = max(rivals, key=lambda o: o.row["map"])
        native = next((o for o in rivals if o.applied.name == "native"), None)
        level = task.partition(", ")[2]
        text = f"Best {f'at {level}' if level else 'here'}: {best.applied.name} with mAP {best.row['map']:.3f}"
        said.append(text + (f", native {native.row['map']:.3f}." if native and native is not best else "."))
    return " ".join(said)


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
