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

from obvert.core import DualEncoder, ObvertError, Progress
from obvert.report import Block, Report, Table
from obvert.store import Run
from obvert.tasks import _audit_page as page
from obvert.tasks._audit_answers import TIE, choices, false_alarms, mapped, nearest_to_each_other, pairs, published
from obvert.tasks._audit_captions import from_captions
from obvert.tasks._audit_certificate import certified
from obvert.tasks._audit_compare import Scores, compared_rows, scores_of
from obvert.tasks._audit_examples import worst
from obvert.tasks._audit_material import Material, from_benchmark, from_scenes
from obvert.tasks._audit_probes import moved_rows, order_row
from obvert.tasks._audit_rows import accuracy_rows, pair_rows, paraphrase_rows, recovered_rows
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
    chosen, two = choices(seen, items), pairs(seen, items)
    scores = scores_of(name, material.digest(), items, chosen, two)
    others = [
        one if isinstance(one, Scores) else _scores(one, material, run.within(f"{i}") if run else None, progress(one.card.name))
        for i, one in enumerate(against)
    ]
    nearer = nearest_to_each_other(seen, again)
    rows: list[dict[str, Any]] = []
    back = mapped(seen, [items[row] for row in two.rows], lessons, seed=seed) if two else {}
    if two:
        rows += pair_rows(name, items, two) + recovered_rows(name, items, two, back)
    rows += accuracy_rows(name, contrasts, chosen)
    rows += benchmark_rows(name, contrasts, published(seen, contrasts), tolerance=TIE)
    rows += compared_rows(scores, others, items)
    said = _warnings(seen, material, two is not None, bool(back))
    try:
        rows += moved_rows(seen, material)
        rows.append(order_row(seen, material.captions, seed=seed))
    except ObvertError as error:
        said.append(f"how far texts move is left out: {error}")
    rows += paraphrase_rows(name, again, false_alarms(seen, again), nearer)
    counted = {"task": TEXTS, "model": name, **material.counted, "different": len(seen.texts), "end not read": unread(seen)}
    rows.append(counted)
    if cut := counted["end not read"]:
        said.append(f"of {cut} texts the model does not read the end: they are longer than its context")
    proof, shown = certified(seen, items, seed=seed) if certify else ([], [])
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


def _scores(model: DualEncoder, material: Material, run: Run | None, progress: Progress | None) -> Scores:
    """What each contrast counts with another model."""
    items = material.contrasts.items
    seen = see(model, items, (), run=run, progress=progress)
    return scores_of(model.card.name, material.digest(), items, choices(seen, items), pairs(seen, items))


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
