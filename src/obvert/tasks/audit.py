"""Audit a dual encoder for compositional blindness: what it cannot tell, which side fails, and whether a linear map would do.

    texts alone     how far each operator moves a text, beside paraphrases; how much order is in the features
    with pictures   accuracy by operator, atom and depth beside the ceiling of bags of words; false alarms at paraphrases
    two by two      group score, interaction, which side fails, recoverability

References:
    | Winoground (Thrush et al., 2022), https://arxiv.org/abs/2204.03162
    | When and Why Vision-Language Models Behave like Bags-Of-Words (Yuksekgonul et al., 2023), https://arxiv.org/abs/2210.01936
    | SugarCrepe (Hsieh et al., 2023), https://arxiv.org/abs/2306.14610
    | Token-aware causal representation learning, https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from obvert.composition.bag import bag_decidable
from obvert.core import Contrast, DualEncoder, ObvertError, Progress
from obvert.report import Block, Report, Table
from obvert.store import Run
from obvert.tasks import _audit_page as page
from obvert.tasks._audit_answers import TIE, Pairs, choices, false_alarms, mapped, nearest_to_each_other, pairs, published
from obvert.tasks._audit_captions import from_captions
from obvert.tasks._audit_certificate import certified
from obvert.tasks._audit_compare import Scores, compared_rows, scores_of
from obvert.tasks._audit_examples import worst
from obvert.tasks._audit_material import Material, from_benchmark, from_scenes
from obvert.tasks._audit_probes import moved_rows, order_row
from obvert.tasks._audit_rows import UNDECIDABLE, accuracy_rows, pair_rows, paraphrase_rows, recovered_rows
from obvert.tasks._audit_seen import Seen, see, unread
from obvert.tasks._contrast_scores import benchmark_rows
from obvert.tasks.search import meta

__all__ = ["Material", "Scores", "audit", "from_benchmark", "from_captions", "from_scenes"]
TEXTS = "texts"
"""Task of the row that counts what is odd about the captions."""


def audit(
    model: DualEncoder,
    material: Material,
    *,
    against: Sequence[DualEncoder | Scores] = (),
    certify: bool = False,
    run: Run | None = None,
    seed: int = 0,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> tuple[Report, Scores]:
    """Audit a model.

    Args:
        model: the encoder.
        material: what it is asked.
        against: other models, or what earlier audits of the same material kept.
        certify: build the encoder that is as good on these captions and blind to their edits.
        run: where finished pieces are kept.
        seed: of every draw.
        progress: gives a progress callback for a name.

    Returns:
        The report, and what each contrast counts, for a later audit to be compared with.
    """
    name, contrasts, again = model.card.name, material.contrasts, material.again.items
    items, lessons = contrasts.items, material.lessons.items if material.lessons else None
    seen = see(model, [*items, *again, *(lessons or ())], material.captions, run=run, progress=progress(name))
    chosen, said = choices(seen, items), list[str]()
    two = _paired(seen, items, said)
    scores = scores_of(name, material.digest(), items, chosen, two)
    others, theirs = list[Scores](), list[Seen]()
    for i, one in enumerate(against):
        if isinstance(one, Scores):
            others.append(one)
            continue
        there = see(
            one, [*items, *again], material.captions, run=run.within(f"{i}") if run else None, progress=progress(one.card.name)
        )
        theirs.append(there)
        others.append(scores_of(one.card.name, material.digest(), items, choices(there, items), _paired(there, items, said)))
    rows: list[dict[str, Any]] = []
    back = mapped(seen, [items[row] for row in two.rows], lessons, seed=seed) if two else {}
    if two:
        rows += pair_rows(name, items, two) + recovered_rows(name, items, two, back)
    rows += accuracy_rows(name, contrasts, chosen)
    rows += compared_rows(scores, others, items)
    said += _warnings(seen, material, two is not None, bool(back))
    for features in (seen, *theirs):
        rows += _of_texts(features, material, said, seed)
    if len(theirs) < len(others) and not scores.asked():
        said.append("earlier audits keep nothing of texts alone: there is nothing to compare them by; name the model instead")
    counted = {"task": TEXTS, "model": name, **material.counted, "different": len(seen.texts), "end not read": unread(seen)}
    counted |= {"contrasts": len(items), UNDECIDABLE: sum(not bag_decidable(item) for item in items)}
    rows.append(counted)
    for features in (seen, *theirs):
        if cut := unread(features):
            said.append(f"of {cut} texts {features.model.card.name} does not read the end: they are longer than its context")
    proof, shown = _certified(seen, items, said, seed) if certify else ([], [])
    examples = worst(seen, items, chosen)
    blocks: list[Block] = [
        *page.figures(contrasts, two, [scores, *others], rows),
        *page.tables(rows),
        *shown,
        *([examples] if examples else []),
        Table(title="The texts", rows=[counted], columns=[key for key in counted if key not in ("task", "model")]),
        page.reading(not chosen.rows),
    ]
    report = Report(
        title=f"Does {name} understand composition?",
        lead=page.lead(name, rows),
        blocks=blocks,
        rows=[*rows, *proof],
        meta=meta(model, seed) | {"material": material.name, "contrasts": len(items)},
        warnings=said,
    )
    return report, scores


def _of_texts(seen: Seen, material: Material, said: list[str], seed: int) -> list[dict[str, Any]]:
    """What can be asked of a model without pictures, and what a benchmark's publishers report."""
    name, again = seen.model.card.name, material.again.items
    rows = benchmark_rows(name, material.contrasts, published(seen, material.contrasts), tolerance=TIE)
    try:
        rows += moved_rows(seen, material)
    except ObvertError as error:
        said.append(f"how far texts move is left out: {error}")
    rows.append(order_row(seen, material.captions, seed=seed))
    return rows + paraphrase_rows(name, again, false_alarms(seen, again), nearest_to_each_other(seen, again))


def _paired(seen: Seen, items: Sequence[Contrast], said: list[str]) -> Pairs | None:
    """Pairs two by two; None, with a warning, where they are all the same."""
    try:
        return pairs(seen, items)
    except ValueError as error:
        said.append(f"pairs two by two are left out for {seen.model.card.name}: {error}")
        return None


def _certified(seen: Seen, items: Sequence[Contrast], said: list[str], seed: int) -> tuple[list[dict[str, Any]], list[Block]]:
    """The certificate; nothing, with a warning, where there are too few captions."""
    try:
        return certified(seen, items, seed=seed)
    except ObvertError as error:
        said.append(f"the certificate is left out: {error}")
        return [], []


def _warnings(seen: Seen, material: Material, real: bool, fitted: bool) -> list[str]:
    """What a reader must know of pictures, captions and pairs."""
    said, items = list(material.warnings), material.contrasts.items
    if lost := sum(bool(item.pictures) and not seen.has(item) for item in items):
        said.append(
            f"{len(seen.broken)} pictures could not be read, the first: {seen.broken[0]}; "
            f"{lost:,} of {len(items):,} contrasts are left out, {len(items) - lost:,} are evaluated"
        )
    if foreign := material.counted.get("not English"):
        said.append(f"{foreign} captions do not look English; operators and verdicts are made for English")
    if not real and seen.pictures:
        said.append("no real pairs, two by two, are at hand: that a wrong text is rejected does not show composition")
    if real and not fitted:
        said.append("recoverability is left out: too few pairs that share neither a text nor a picture with the others")
    return said
