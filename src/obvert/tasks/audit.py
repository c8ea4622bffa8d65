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
from dataclasses import dataclass
from typing import Any

from obvert.core import DualEncoder, Progress
from obvert.report import Block, Report, Table
from obvert.store import Run
from obvert.tasks import _audit_page as page
from obvert.tasks._audit_answers import Choices, Pairs, choices, false_alarms, pairs, treated_as_different
from obvert.tasks._audit_compare import Scores, compared_rows, scores_of
from obvert.tasks._audit_examples import worst
from obvert.tasks._audit_material import Material
from obvert.tasks._audit_probes import alike, moved_rows, order_row
from obvert.tasks._audit_published import published_rows
from obvert.tasks._audit_rows import accuracy_rows, pair_rows, paraphrase_rows, recovered_rows
from obvert.tasks._audit_seen import Seen, see, unread
from obvert.tasks.search import meta

TEXTS = "texts"
"""Task of the row that counts what is odd about the captions."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One model on one material."""

    seen: Seen
    choices: Choices
    pairs: Pairs | None
    scores: Scores


def measure(
    model: DualEncoder, material: Material, *, run: Run | None = None, seed: int = 0, progress: Progress | None = None
) -> Measured:
    """What a model answers.

    Args:
        model: the encoder.
        material: what it is asked.
        run: where finished pieces are kept.
        seed: of halves and linear maps.
        progress: called with (texts and pictures encoded, total, 0).

    Returns:
        Its features and answers.
    """
    items = material.contrasts.items
    taught = material.lessons.items if material.lessons else ()
    seen = see(model, [*items, *material.again.items, *taught], material.captions, run=run, progress=progress)
    chosen = choices(seen, items)
    two = pairs(seen, items, material.lessons.items if material.lessons else None, seed=seed)
    return Measured(
        seen=seen, choices=chosen, pairs=two, scores=scores_of(model.card.name, material.digest(), items, chosen, two)
    )


def audit(
    model: DualEncoder,
    material: Material,
    *,
    against: Sequence[DualEncoder | Scores] = (),
    run: Run | None = None,
    seed: int = 0,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> tuple[Report, Scores]:
    """Audit a model.

    Args:
        model: the encoder.
        material: what it is asked.
        against: other models, or what earlier audits of the same material kept.
        run: where finished pieces are kept.
        seed: of every draw.
        progress: gives a progress callback for a name.

    Returns:
        The report, and what each contrast counts, for a later audit to be compared with.
    """
    name = model.card.name
    found = measure(model, material, run=run, seed=seed, progress=progress(name))
    others = [
        one
        if isinstance(one, Scores)
        else measure(
            one, material, run=run.within(f"against-{i}") if run else None, seed=seed, progress=progress(one.card.name)
        ).scores
        for i, one in enumerate(against)
    ]
    items, again = material.contrasts.items, material.again.items
    nearer = treated_as_different(found.seen, again)
    counted = {
        "task": TEXTS,
        "model": name,
        **material.counted,
        "different": len(found.seen.texts),
        "end not read": unread(found.seen),
    }
    blind = alike(found.seen, material.captions)
    rows: list[dict[str, Any]] = [
        *(pair_rows(name, items, found.pairs) if found.pairs else []),
        *(recovered_rows(name, items, found.pairs) if found.pairs else []),
        *accuracy_rows(name, material.contrasts, found.choices),
        *published_rows(material.contrasts, found.scores, found.pairs, nearer),
        *compared_rows(found.scores, others, items),
        *([] if blind else moved_rows(found.seen, material)),
        *paraphrase_rows(name, again, false_alarms(found.seen, again), nearer),
        *([] if blind else [order_row(found.seen, material.captions, seed=seed)]),
        counted,
    ]
    examples = worst(found.seen, items, found.choices)
    blocks: list[Block] = [
        *page.figures(material.contrasts, found.pairs, [found.scores, *others], rows),
        *page.tables(rows),
        *([examples] if examples else []),
        Table(title="The texts", rows=[counted], columns=[key for key in counted if key not in ("task", "model")]),
        page.reading(not found.choices.rows),
    ]
    report = Report(
        title=f"Does {name} understand composition?",
        lead=page.lead(name, rows),
        blocks=blocks,
        rows=rows,
        meta=meta(model, seed) | {"material": material.name, "contrasts": len(items)},
        warnings=_warnings(found, material, counted, blind),
    )
    return report, found.scores


def _warnings(found: Measured, material: Material, counted: dict[str, Any], blind: bool) -> list[str]:
    said = list(material.warnings)
    lost = sum(bool(item.pictures) and not found.seen.has(item) for item in material.contrasts.items)
    if lost:
        whole = len(material.contrasts.items)
        said.append(
            f"{len(found.seen.broken)} pictures could not be read, the first: {found.seen.broken[0]}; "
            f"{lost:,} of {whole:,} contrasts are left out, {whole - lost:,} are evaluated"
        )
    if counted["end not read"]:
        said.append(f"of {counted['end not read']} texts the model does not read the end: they are longer than its context")
    if foreign := counted.get("not English"):
        said.append(f"{foreign} captions do not look English; operators and verdicts are made for English")
    if blind:
        said.append("all captions are one to this model: nothing can be said of how far an operator moves a text")
    if found.pairs is None and found.choices.rows:
        said.append("no real pairs, two by two, are at hand: that a wrong text is rejected does not show composition")
    return said
