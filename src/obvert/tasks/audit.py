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

from obvert.core import DualEncoder, Progress
from obvert.report import Block, Report, Table
from obvert.store import Run
from obvert.tasks import _audit_page as page
from obvert.tasks._audit_answers import choices, false_alarms, mapped, pairs, treated_as_different
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
    name, contrasts, again = model.card.name, material.contrasts, material.again.items
    items, lessons = contrasts.items, material.lessons.items if material.lessons else None
    seen = see(model, [*items, *again, *(lessons or ())], material.captions, run=run, progress=progress(name))
    chosen, two = choices(seen, items), pairs(seen, items)
    scores = scores_of(name, material.digest(), items, chosen, two)
    others = [
        one if isinstance(one, Scores) else _scores(one, material, run.within(f"{i}") if run else None, progress(one.card.name))
        for i, one in enumerate(against)
    ]
    nearer = treated_as_different(seen, again)
    rows: list[dict[str, Any]] = []
    if two:
        crossed = [items[row] for row in two.rows]
        rows += pair_rows(name, items, two)
        rows += recovered_rows(name, items, two, mapped(seen, crossed, lessons, seed=seed))
    rows += accuracy_rows(name, contrasts, chosen)
    rows += published_rows(contrasts, scores, two, nearer)
    rows += compared_rows(scores, others, items)
    blind = alike(seen, material.captions)
    if not blind:
        rows += moved_rows(seen, material)
        rows.append(order_row(seen, material.captions, seed=seed))
    rows += paraphrase_rows(name, again, false_alarms(seen, again), nearer)
    counted = {"task": TEXTS, "model": name, **material.counted, "different": len(seen.texts), "end not read": unread(seen)}
    rows.append(counted)
    examples = worst(seen, items, chosen)
    blocks: list[Block] = [
        *page.figures(contrasts, two, [scores, *others], rows),
        *page.tables(rows),
        *([examples] if examples else []),
        Table(title="The texts", rows=[counted], columns=[key for key in counted if key not in ("task", "model")]),
        page.reading(not chosen.rows),
    ]
    report = Report(
        title=f"Does {name} understand composition?",
        lead=page.lead(name, rows),
        blocks=blocks,
        rows=rows,
        meta=meta(model, seed) | {"material": material.name, "contrasts": len(items)},
        warnings=_warnings(seen, material, counted, blind=blind, real=two is not None),
    )
    return report, scores


def _scores(model: DualEncoder, material: Material, run: Run | None, progress: Progress | None) -> Scores:
    """What each contrast counts with another model."""
    items = material.contrasts.items
    seen = see(model, items, (), run=run, progress=progress)
    return scores_of(model.card.name, material.digest(), items, choices(seen, items), pairs(seen, items))


def _warnings(seen: Seen, material: Material, counted: dict[str, Any], *, blind: bool, real: bool) -> list[str]:
    said, items = list(material.warnings), material.contrasts.items
    if lost := sum(bool(item.pictures) and not seen.has(item) for item in items):
        said.append(
            f"{len(seen.broken)} pictures could not be read, the first: {seen.broken[0]}; "
            f"{lost:,} of {len(items):,} contrasts are left out, {len(items) - lost:,} are evaluated"
        )
    if counted["end not read"]:
        said.append(f"of {counted['end not read']} texts the model does not read the end: they are longer than its context")
    if foreign := counted.get("not English"):
        said.append(f"{foreign} captions do not look English; operators and verdicts are made for English")
    if blind:
        said.append("all captions are one to this model: nothing can be said of how far an operator moves a text")
    if not real and seen.pictures:
        said.append("no real pairs, two by two, are at hand: that a wrong text is rejected does not show composition")
    return said
