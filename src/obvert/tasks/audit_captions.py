"""What a corpus of captions can teach of composition: no model is needed, the captions say it themselves.

    order       H(sequence | bag), and how it grows with the corpus
    batches     captions of one bag in another order that meet in a batch, and the loss that they can cost
    edits       swap, replace and add: is what they make of a caption a caption of another picture?

What no caption of the corpus contradicts, no contrastive training on it can teach: an encoder that is blind to it has the same
loss, as `obvert.composition.certificate` shows of any model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from obvert.composition.corpora import collisions
from obvert.composition.corpora.corpus import Corpus, Intake, Tallies
from obvert.composition.corpora.teaching import MOST, Lesson, lessons
from obvert.composition.text.sentence import Parser
from obvert.provenance import versions
from obvert.report import Block, Curves, Dots, Report, Table, Text
from obvert.zoo.scenes import caption, sample_mention, sample_one

Lines = dict[str, tuple[Sequence[float], Sequence[float]]]
PARTS = (64, 32, 16, 8, 4, 2, 1)
"""Parts of the corpus whose entropy is compared: one in 64 captions, ... all of them."""
STRANGE, KNOWN = 0.05, 0.3
"""Captions without an English word, and English words among all, that English captions stay below and above."""
LEARNED = 0.5
"""Growth of the entropy from half of the corpus to all of it that counts as a corpus too small to tell."""


def audit_captions(
    captions: Iterable[tuple[str, str]],
    parser: Parser,
    *,
    name: str,
    folder: Path,
    batches: Sequence[int] = (),
    sample: int = 2000,
    context: int = 77,
    seed: int = 0,
) -> Report:
    """Audit a corpus of captions.

    Args:
        captions: (picture, caption) pairs, read once; the picture "" where none is told.
        parser: finds the atoms of a caption.
        name: of the corpus.
        folder: an empty folder for hashes of the captions, 40 bytes each.
        batches: sizes of batches; the usual ones that the corpus fills when empty.
        sample: captions whose edits are looked for.
        context: positions of a text tower; longer captions are counted.
        seed: of the sample and the edits.

    Returns:
        The report.
    """
    corpus = Corpus(folder)
    intake = corpus.read(captions, sample=sample, context=context, seed=seed)
    tallies = corpus.tallies()
    sizes = list(batches) or collisions.ladder(intake.captions) or [intake.captions]
    met = [{"task": "batches", "batch": size, **collisions.batch(tallies, size)} for size in sizes]
    sentences = [parser(text) for _, text in intake.sample]
    taught = lessons(corpus, sentences, [picture for picture, _ in intake.sample], seed=seed)
    first = {"task": "corpus", **_counts(intake, tallies, context)}
    order = {"task": "order", **_order(tallies)}
    edits = [_row(lesson) for lesson in taught]
    return Report(
        title=f"What {name} can teach",
        lead=_lead(tallies, taught, met),
        blocks=[
            Table(title="The captions", rows=[first], columns=[key for key in first if key != "task"], note=_counted(context)),
            Table(title="Order beyond the words", rows=[order], columns=[key for key in order if key != "task"], note=ORDER),
            _growth(tallies),
            Table(title="Batches", rows=met, columns=["batch", "pairs", "touched", "loss_gap", "loss_floor"], note=BATCHES),
            *_curves(met),
            _dots(taught),
            Table(
                title="Edits that the corpus teaches",
                rows=edits,
                columns=["operator", "kind", "group", "captions", "share", "taught", "exact"],
                intervals={"share": "share_interval"},
                group=("operator", "kind"),
                note=EDITS,
            ),
            *_examples(taught),
        ],
        rows=[first, order, *met, *edits],
        meta={"captions": name, "sample": len(sentences), "seed": seed, "versions": versions()},
        warnings=_warnings(intake, tallies, sentences_without=sum(not s.atoms for s in sentences), context=context),
    )


def scene_captions(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Captions of so many Scenes, told as people tell them, each of a picture of its own."""
    rng = np.random.default_rng([seed, 8])
    for _ in range(count):
        yield "", caption(sample_one(rng, int(rng.integers(1, 3))), sample_mention(rng))


def _counts(intake: Intake, tallies: Tallies, context: int) -> dict[str, Any]:
    return {
        "captions": intake.captions,
        "empty": intake.empty,
        "repeated": intake.captions - tallies.sequences.total(),
        "too long": intake.long,
        "foreign letters": intake.foreign,
        "no English word": intake.unread,
        "English words": intake.known / intake.words,
        "words a caption": intake.words / intake.captions,
    }


def _order(tallies: Tallies) -> dict[str, Any]:
    m = tallies.captions
    return {
        "entropy": collisions.entropy(tallies),
        "corrected": collisions.entropy_corrected(tallies),
        "half corpus": collisions.entropy_of_part(tallies, max(1, m // 2)),
        "coverage": collisions.coverage(tallies),
        "partners": tallies.partners / m,
        "order varies": collisions.order_varies(tallies),
    }


def _row(lesson: Lesson) -> dict[str, Any]:
    return {
        "task": "edits",
        "operator": lesson.operator,
        "kind": lesson.kind,
        "group": lesson.group or "all",
        "captions": lesson.captions,
        "taught": lesson.taught,
        "exact": lesson.exact,
        "share": lesson.share,
        "share_interval": list(lesson.interval),
    }


def _lead(tallies: Tallies, taught: Sequence[Lesson], met: Sequence[dict[str, Any]]) -> str:
    sorts = [one for one in taught if not one.group]
    never = [f"{one.operator} {one.kind}" for one in sorts if not one.taught]
    last = met[-1]
    said = (
        f"{tallies.partners / tallies.captions:.3%} of the captions share their words, in another order, with another caption. "
    )
    said += f"In batches of {last['batch']} ignoring order costs {last['loss_gap']:.2g} nats a caption at the optimum. "
    if len(never) == len(sorts):
        return said + "No edit that was drawn is taught."
    return said + (
        f"No edit drawn of these is taught: {', '.join(never)}." if never else "Edits of every operator and kind are taught."
    )


def _growth(tallies: Tallies) -> Curves:
    sizes = sorted({max(1, tallies.captions // part) for part in PARTS})
    return Curves(
        title="Entropy against the captions seen",
        x_label="captions",
        y_label="H(sequence | bag), nats",
        series={"plug-in": (sizes, [collisions.entropy_of_part(tallies, size) for size in sizes])},
        log_x=True,
        note="Mean over parts of the corpus, exact. Where it still rises at the end it is a lower bound: the corpus is small.",
    )


def _curves(met: Sequence[dict[str, Any]]) -> Iterator[Curves]:
    sizes = [row["batch"] for row in met]
    for title, y_label, keys in (
        ("Collisions against batch size", "pairs expected in a batch", {"one bag, another order": "pairs"}),
        ("What they can cost", "nats a caption", {"bag alone": "loss_gap", "captions alike": "loss_floor"}),
    ):
        series: Lines = {name: (sizes, [row[key] for row in met]) for name, key in keys.items()}
        yield Curves(title=title, x_label="batch", y_label=y_label, series=series, log_x=True)


def _dots(taught: Sequence[Lesson]) -> Dots:
    return Dots(
        title="Taught share of the edits",
        labels=[f"{one.operator} {one.kind}{f', {one.group}' if one.group else ''}" for one in taught],
        series={"in the corpus": [one.share for one in taught]},
        intervals={"in the corpus": [one.interval for one in taught]},
        remarks=[f"{one.taught} of {one.captions}" for one in taught],
        note="With 95 % intervals of Wilson over captions.",
    )


def _examples(taught: Sequence[Lesson]) -> Iterator[Block]:
    for title, name in (("Edits that are in the corpus", "found"), ("Edits that are not", "missing")):
        rows = [
            {"operator": one.operator, "kind": one.kind, "group": one.group, "caption": before, "edit": after}
            for one in taught
            for before, after in getattr(one, name)[: 1 if one.group else 0]
        ]
        yield Table(title=title, rows=rows) if rows else Text(title=title, lines=["None was met."])


def _warnings(intake: Intake, tallies: Tallies, *, sentences_without: int, context: int) -> list[str]:
    m, said = intake.captions, []
    if intake.empty:
        said.append(f"{intake.empty} captions without a word were left out")
    if repeated := m - tallies.sequences.total():
        said.append(f"{repeated} captions repeat another word for word; they stay in")
    if intake.long:
        said.append(f"{intake.long} captions have more words than {context} positions hold; read whole here, cut by a text tower")
    if intake.known < KNOWN * intake.words or intake.unread > STRANGE * m:
        said.append(
            f"{intake.known / intake.words:.0%} of the words are listed English ones, and {intake.unread} captions have none: "
            "these do not look like English captions, and the operators know English alone; order and batches hold"
        )
    elif intake.foreign > STRANGE * m:
        said.append(f"{intake.foreign} captions hold letters that English does not write")
    if sentences_without:
        said.append(f"in {sentences_without} of {len(intake.sample)} captions drawn no atom was found; they offer no edit")
    whole, half = (collisions.entropy_of_part(tallies, max(1, m // part)) for part in (1, 2))
    if whole > 0 and half < (1 - LEARNED / 2) * whole:
        said.append(f"the entropy still grows with the corpus, {half:.2g} nats of half of it, {whole:.2g} of all: a lower bound")
    return said


def _counted(context: int) -> str:
    return (
        "Empty captions are left out, repeated ones stay in. Too long: more words than a text tower of "
        f"{context} positions holds. English words: share of all words that are on the lists of the operators."
    )


ORDER = (
    "entropy: H(sequence | bag) in nats, plug-in, biased low; corrected: by Miller and Madow, low still; half corpus: the same "
    "of half the captions; coverage: share of new captions whose bag would be known (Good and Turing), the entropy says nothing "
    "of the rest; partners: share of captions with one of the same bag in another order; order varies: of two captions of one "
    "bag, the chance that their order differs, which is not biased by the size of the corpus."
)
BATCHES = (
    "Batches drawn without replacement; exact means. pairs: of one bag in another order and of other pictures; touched: share of "
    "captions with such a partner in the batch; loss_gap: nats a caption that an encoder of the bag alone loses at least beyond "
    "one that reads the order; loss_floor: nats that captions alike word for word cost every encoder."
)
EDITS = (
    "Of each caption drawn, one edit of each sort. taught: a swap, where any caption of another picture has the edited bag in "
    f"another order; otherwise where the edited caption is one of another picture. New words: the {MOST} commonest of a place. "
    "Nothing obliges an encoder to tell what is not taught; one that generalises may."
)
