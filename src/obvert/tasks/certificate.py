"""The certificate of a model: an encoder as good as its own on captions given, and blind to every edit that is none of them.

Beside it the learned version: an encoder of the bag of words alone, taught what the model says of a part of the captions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from obvert.composition import bag_encoder
from obvert.composition.bag_encoder import BagEncoder
from obvert.composition.certificate import Encode, Negative, Place, equal_losses, retract, retractions_needed
from obvert.metrics import above, wilson
from obvert.report import Block, Curves, Table, Text

SIZES, TEMPERATURES = (16, 64, 256, 1024), (0.01, 0.07, 0.5)
"""Of the batches whose losses are compared; sizes as far as the captions fill them."""
SHOWN = 12
"""Collisions that are listed."""
HELD_OUT = 5
"""One caption in so many is held out from the learned encoder."""
NAMES = ("T", "T o pi", "bag")


def certificate(
    encode: Encode,
    captions: Sequence[str],
    image: Tensor | None = None,
    negatives: Sequence[Negative] = (),
    *,
    pictures: Sequence[int] | None = None,
    sizes: Sequence[int] = SIZES,
    temperatures: Sequence[float] = TEMPERATURES,
    draws: int = 50,
    seed: int = 0,
) -> tuple[list[dict[str, Any]], list[Block]]:
    """Build both encoders and compare them with the model.

    Args:
        encode: the model's text tower, such as `model.text_features`.
        captions: that were seen, 16 or more.
        image: (N, d) unit features of each caption's picture; without them the features are compared, not the losses.
        negatives: edits of the captions.
        pictures: of each caption the number of its picture; each its own when None.
        sizes: of batches; those that the captions do not fill are left out.
        temperatures: of the loss.
        draws: batches of each size.
        seed: of batches and of the captions held out.

    Returns:
        Rows of the tasks "certificate", "negatives" and "bag of words", and the blocks of a report.
    """
    pi, places = retract(captions, negatives, pictures)
    unique = {text: row for row, text in enumerate(dict.fromkeys(captions))}
    index = torch.tensor([unique[text] for text in captions])
    text = encode(list(unique)).cpu()[index]
    blind = pi.through(encode)(captions).cpu()
    filled = [size for size in sizes if size <= len(captions)]
    losses: list[dict[str, Any]] = []
    if image is not None:
        told = dict(zip(NAMES, (text, blind), strict=False))
        losses = equal_losses(image.cpu(), told, sizes=filled, temperatures=temperatures, draws=draws, seed=seed)
    first: dict[str, Any] = {"task": "certificate", "captions": len(captions), "features": (text - blind).abs().max().item()}
    rows = [first | row for row in losses] or [first]
    bag, learned = _learned(captions, text, None if image is None else image.cpu(), filled, temperatures, draws, seed)
    told_apart = _negatives(encode, pi.through(encode), bag, captions, image, negatives, places)
    blocks: list[Block] = [
        Text(title="Pseudo-optimal encoder", lines=_lines(captions, negatives, places, (text - blind).abs().max().item())),
        _table("Loss of the model and of its pseudo-optimal twin", rows, LOSSES),
        _table("Edits, to each of them", told_apart, EDITS),
        _collisions(captions, negatives, places),
        _table("Learned from bags of words", learned, LEARNED),
    ]
    if losses:
        blocks.append(_curves(losses, learned, temperatures[0]))
    return [*rows, *told_apart, *learned], blocks


def _negatives(
    encode: Encode,
    blind: Encode,
    bag: BagEncoder,
    captions: Sequence[str],
    image: Tensor | None,
    negatives: Sequence[Negative],
    places: Sequence[Place],
) -> list[dict[str, Any]]:
    """How each encoder tells captions from negatives, by operator and atom; a tie counts a half."""
    kept = [row for row, place in enumerate(places) if place not in ("no edit", "same picture")]
    if not kept:
        return []
    home = [negatives[row].caption for row in kept]
    texts = [*(captions[row] for row in home), *(negatives[row].text for row in kept)]
    credits: dict[str, Tensor] = {}
    towers: tuple[Encode, ...] = (encode, blind, bag)
    for name, tower in zip(NAMES, towers, strict=True):
        unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        right, wrong = tower(list(unique)).cpu()[[unique[text] for text in texts]].double().chunk(2)
        if image is None:
            credits[name] = torch.where((right == wrong).all(1), 0.5, 1.0).double()
        else:
            shown = image.cpu()[home].double()
            credits[name] = above((shown * right).sum(1, keepdim=True), (shown * wrong).sum(1, keepdim=True))
    found = []
    for operator, atom in dict.fromkeys((negatives[row].operator, negatives[row].atom) for row in kept):
        mine = [n for n, row in enumerate(kept) if (negatives[row].operator, negatives[row].atom) == (operator, atom)]
        where = Counter(places[kept[n]] for n in mine)
        row: dict[str, Any] = {"task": "negatives", "operator": operator, "atom": atom, "edits": len(mine)}
        row |= {"in support": where["in support"], "contested": where["contested"], "outside": where["outside"]}
        for name, credit in credits.items():
            one = credit[mine]
            key = "accuracy" if image is not None else "told apart"
            row |= {f"{name} {key}": one.mean().item(), f"{name} {key}_interval": list(wilson(one.sum().item(), len(one)))}
            row[f"{name} ties"] = int((one == 0.5).sum())
        found.append(row)
    return found


def _learned(
    captions: Sequence[str],
    text: Tensor,
    image: Tensor | None,
    sizes: Sequence[int],
    temperatures: Sequence[float],
    draws: int,
    seed: int,
) -> tuple[BagEncoder, list[dict[str, Any]]]:
    """The encoder of bags, and how near it comes to the model on what it learned from and on what was held out."""
    order = torch.randperm(len(captions), generator=torch.Generator().manual_seed(seed)).tolist()
    bags = [bag_encoder.key(caption) for caption in captions]
    apart = set(list(dict.fromkeys(bags[row] for row in order))[::HELD_OUT])
    parts = {
        "learned from": [row for row in order if bags[row] not in apart],
        "held out": [row for row in order if bags[row] in apart],
    }
    seen = parts["learned from"]
    bag = bag_encoder.fit([captions[row] for row in seen], text[seen], seed=seed)
    found: list[dict[str, Any]] = []
    for name, mine in parts.items():
        said = bag([captions[row] for row in mine])
        row = {"task": "bag of words", "part": name, "captions": len(mine), "r2": bag_encoder.explained(said, text[mine])}
        filled = [size for size in sizes if size <= len(mine)] if image is not None else []
        if image is None or not filled:
            found.append(row)
            continue
        told = {NAMES[0]: text[mine], NAMES[2]: said}
        for one in equal_losses(image[mine], told, sizes=filled, temperatures=temperatures, draws=draws, seed=seed):
            found.append(row | {key: value for key, value in one.items() if key != f"{NAMES[2]} difference"})
    return bag, found


def _lines(captions: Sequence[str], negatives: Sequence[Negative], places: Sequence[Place], apart: float) -> list[str]:
    where = Counter(places)
    same = "to the last bit" if not apart else f"within {apart:.1e}"
    lines = [
        "T o pi is the model's text tower T behind a map pi of texts: a caption given stays what it is, an edit that is none of "
        f"them goes back to the caption it was made of. On the {len(set(captions))} captions the two say the same {same}, so no "
        "contrastive loss over them, of any batch, size or temperature, can prefer T."
    ]
    if negatives:
        needed = max(1, retractions_needed(captions, negatives, places))
        lines += [
            f"Of {len(negatives)} edits {where['outside']} are exact ties of it. {where['contested']} more are edits of another "
            f"caption too and tied with that one; {needed} such encoders tie them all.",
            f"{where['in support']} edits are captions of another picture: there no such encoder exists, and the data say that "
            f"they differ. {where['same picture']} are other captions of the same picture and {where['no edit']} the caption "
            "itself: left out.",
        ]
    return lines


def _collisions(captions: Sequence[str], negatives: Sequence[Negative], places: Sequence[Place]) -> Block:
    met = [negative for negative, place in zip(negatives, places, strict=True) if place == "in support"]
    rows = [{"operator": n.operator, "atom": n.atom, "caption": captions[n.caption], "edit": n.text} for n in met[:SHOWN]]
    return _table("Where it cannot exist: edits that are captions of another picture", rows, f"{len(rows)} of {len(met)}.")


def _table(title: str, rows: list[dict[str, Any]], note: str) -> Block:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    intervals = {key.removesuffix("_interval"): key for key in keys if key.endswith("_interval")}
    columns = [key for key in keys if key != "task" and key not in intervals.values()]
    return (
        Table(title=title, rows=rows, columns=columns, intervals=intervals, note=note)
        if rows
        else Text(title=title, lines=["None."])
    )


def _curves(losses: Sequence[dict[str, Any]], learned: Sequence[dict[str, Any]], temperature: float) -> Curves:
    series: dict[str, tuple[Sequence[float], Sequence[float]]] = {}
    for name in NAMES[:2]:
        mine = [row for row in losses if row["temperature"] == temperature]
        series[name] = ([row["batch"] for row in mine], [row[name] for row in mine])
    for part in ("learned from", "held out"):
        mine = [row for row in learned if row["part"] == part and row.get("temperature") == temperature]
        for name in (NAMES[0], NAMES[2]):
            series[f"{name}, {part}"] = ([row["batch"] for row in mine], [row[name] for row in mine])
    title = f"Contrastive loss at temperature {temperature:g}"
    return Curves(
        title=title, x_label="batch", y_label="nats", series={k: v for k, v in series.items() if v[0]}, log_x=True, note=CURVES
    )


LOSSES = (
    "Symmetric contrastive loss in float64, mean over the batches drawn. features: largest difference between the features of "
    "the two on the captions; difference: largest difference between their losses in any batch."
)
EDITS = (
    "Is the caption above its edit, by its own picture? A tie counts a half: an encoder that cannot tell has 0.5. in support: "
    "captions of another picture, where T o pi is T; contested: tied with another caption that leads to the same edit; outside: "
    "tied by T o pi. bag: the learned encoder, to which every edit of the same words is a tie."
)
LEARNED = (
    "An encoder of the counts of words, learned from what T says of four captions in five; the parts share no bag. r2: share of "
    "the variance of T's features that it says. Losses over captions of the part alone."
)
CURVES = "T and T o pi lie on each other. The bag's loss is over captions that it learned from, and over those held out."
