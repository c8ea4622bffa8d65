"""Audits of toys whose verdict is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from obvert.core import Contrast, ContrastSet, ObvertError
from obvert.report import Report, Shares, write
from obvert.tasks._audit_answers import SIDES, choices, false_alarms, halves, nearest_to_each_other, pairs
from obvert.tasks._audit_compare import compared_rows, earlier, keep, scores_of
from obvert.tasks._audit_material import Material
from obvert.tasks._audit_rows import blind_chance, verdict
from obvert.tasks._audit_seen import see, unread
from obvert.tasks.audit import audit

from .audit_toys import BAG, NO_EYES, SEES, TURNED, Toy, contrast, material, picture, slots

MATERIAL = material()
QUICK = replace(MATERIAL, lessons=ContrastSet(name="none", items=()))
"""Without linear maps."""
KINDS = ("swap", "replace")


def rows(report: Report, task: str) -> list[dict[str, Any]]:
    return [row for row in report.rows if row["task"] == task]


def by(report: Report, task: str) -> dict[str, dict[str, Any]]:
    """Rows of a task by operator and, of all, by what is averaged."""
    return {row["atom"] if row["operator"] == "all" else row["operator"]: row for row in rows(report, task)}


@pytest.fixture(scope="module")
def found() -> dict[str, Report]:
    return {toy.card.name: audit(toy, QUICK if toy is SEES else MATERIAL)[0] for toy in (SEES, BAG, NO_EYES, TURNED)}


def test_an_encoder_that_sees(found: dict[str, Report]) -> None:
    told = by(found["sees"], "two by two")
    assert all(told[kind]["verdict"] == "sees" and told[kind]["group"] == 1 for kind in KINDS)
    assert by(found["sees"], "which text is right")["micro"]["accuracy"] == 1
    assert rows(found["sees"], "paraphrases")[0]["false_alarms"] == 0
    assert rows(found["sees"], "paraphrases")[0]["nearest_to_each_other"] == 1
    assert found["sees"].lead.startswith("sees tells 2 of 2 kinds of pairs apart.")


def test_an_exact_bag_of_words_ties_on_every_swap(found: dict[str, Report]) -> None:
    told = by(found["bag"], "two by two")
    assert told["swap"]["verdict"] == "text-blind"
    assert told["swap"]["text_blind"] == 1
    assert (told["swap"]["text"], told["swap"]["image"], told["swap"]["interaction"]) == (0.25, 0.25, 0.0)
    assert told["swap"]["group"] == told["swap"]["bag_of_words"] == pytest.approx(1 / 6)
    assert told["swap"]["texts_differ"] == 0
    assert told["replace"]["verdict"] == "sees"
    answers = by(found["bag"], "which text is right")
    assert (answers["swap"]["accuracy"], answers["swap"]["ties"], answers["swap"]["ties_as_wrong"]) == (0.5, 90, 0)
    assert answers["swap"]["bag_of_words"] == answers["undecidable by words"]["accuracy"] == 0.5
    assert answers["decidable by words"]["accuracy"] == answers["replace"]["bag_of_words"] == 1
    moved = by(found["bag"], "how far texts move")
    assert moved["swap"]["ratio"] == 0 < moved["replace"]["ratio"]
    (order,) = rows(found["bag"], "order in texts")
    assert order["words"] > 0.95
    assert by(found["bag"], "recoverability")["swap"]["text_map"] < 0.5


def test_the_order_of_words_moves_no_bag_and_moves_the_others(found: dict[str, Report]) -> None:
    variance = {name: rows(report, "order in texts")[0]["order_variance"] for name, report in found.items()}
    assert variance["bag"] == 0
    assert variance["sees"] == pytest.approx(variance["turned"])
    assert variance["sees"] > 0.3


def test_pictures_that_lack_the_order(found: dict[str, Report]) -> None:
    told = by(found["no eyes"], "two by two")
    assert told["swap"]["verdict"] == "visual-blind"
    assert told["swap"]["visual_blind"] == 1
    assert told["replace"]["verdict"] == "sees"
    assert by(found["no eyes"], "recoverability")["swap"]["image_map"] < 0.5


def test_what_is_only_misaligned_one_linear_map_brings_back(found: dict[str, Report]) -> None:
    told = by(found["turned"], "two by two")["swap"]
    assert told["verdict"] == "misaligned"
    assert (told["misaligned"], told["group"]) == (1, 0)
    back = by(found["turned"], "recoverability")["swap"]
    assert min(back["text_map"], back["image_map"]) > 0.7
    assert back["control_map"] < 0.2
    assert back["text_gain_interval"][0] > 0.6


def test_the_page_shows_which_side_fails(found: dict[str, Report], tmp_path: Any) -> None:
    shares = next(block for block in found["bag"].blocks if isinstance(block, Shares))
    assert list(shares.labels) == ["swap object", "replace object"]
    assert shares.series["text-blind"] == [1.0, 0.0]
    assert shares.remarks[0] == "text-blind, group 0.17"
    page = write(found["bag"], tmp_path).read_text()
    assert "Worst examples" in page
    assert "cat left of dog" in page


def test_verdicts_of_a_kind() -> None:
    assert verdict(Counter({"sees": 5, "text-blind": 5})) == "sees"
    assert verdict(Counter({"sees": 4, "text-blind": 3, "blind": 3})) == "text-blind"
    assert set(SIDES) >= {"sees", "outweighed", "misaligned", "visual-blind", "text-blind"}


def test_a_contrast_does_not_depend_on_the_others() -> None:
    items = MATERIAL.contrasts.items
    seen = see(TURNED, items, ())
    whole = choices(seen, items)
    for row in (0, 44, 80):
        alone = choices(see(TURNED, [items[row]], ()), [items[row]])
        places = [place for place, of in enumerate(whole.rows) if of == row]
        assert torch.equal(alone.credit, whole.credit[places])
        assert torch.equal(alone.margin, whole.margin[places])
    assert pairs(seen, items[:1]) is None
    assert pairs(see(SEES, [replace(items[0], pictures=())], ()), [replace(items[0], pictures=())]) is None


def test_false_alarms_and_ties_by_hand() -> None:
    again = MATERIAL.again.items[:45]
    kept, first, second = false_alarms(see(BAG, again, ()), again)
    assert kept == list(range(45))
    assert torch.equal(first, torch.full((45,), 0.5, dtype=torch.float64))
    assert torch.equal(second, first)
    # All three texts are one to a bag of words: each is as near as the others.
    torch.testing.assert_close(nearest_to_each_other(see(BAG, again, ()), again), torch.full((45,), 1 / 3, dtype=torch.float64))


def test_halves_share_nothing() -> None:
    items = [contrast("swap", (a, b), (b, a)) for a, b in [("cat", "dog"), ("cup", "hat"), ("car", "hat"), ("boat", "shoe")]]
    items.append(replace(items[0], texts=("x left of y", items[3].texts[0])))  # ties the first to the last
    for seed in range(5):
        second = halves(items, seed)
        assert second[0] == second[3] == second[4]
        assert 0 < second.sum() < 5
    many = [contrast("swap", (a, b), (b, a)) for a, b in [("cat", "dog")] * 3]
    assert halves(many, 0).sum() in (0, 3)  # they share their texts
    assert isinstance(halves(items, 0), np.ndarray)


def test_side_by_side_and_with_an_earlier_audit(tmp_path: Any) -> None:
    _, of_bag = audit(BAG, QUICK)
    keep(of_bag, tmp_path)
    old = earlier(tmp_path, MATERIAL.digest())
    assert old.model.startswith("bag, ")
    report, scores = audit(SEES, QUICK, against=[TURNED, old])
    told = {(row["against"], row["operator"]): row for row in rows(report, "compared")}
    assert told["turned", "swap"]["difference"] == 1
    assert told[old.model, "swap"]["difference"] == pytest.approx(5 / 6)
    assert told[old.model, "replace"]["difference_interval"] == [0.0, 0.0]
    dots = next(block for block in report.blocks if block.title == "Group score by operator and atom")
    assert list(dots.series) == ["sees", "turned", old.model]  # type: ignore[union-attr]
    assert compared_rows(scores, [scores], MATERIAL.contrasts.items)[0]["difference"] == 0
    with pytest.raises(ObvertError, match="need an audit of the same contrasts"):
        earlier(tmp_path, "another")
    with pytest.raises(ObvertError, match="need a folder that obvert audit wrote"):
        earlier(tmp_path / "nowhere", "")


def test_one_picture_each_is_no_proof_of_composition() -> None:
    items = [replace(item, right=((0,),), pictures=item.pictures[:1]) for item in MATERIAL.contrasts.items]
    report, scores = audit(SEES, replace(MATERIAL, contrasts=ContrastSet(name="one", items=items, measures=("micro", "macro"))))
    assert any("no real pairs" in warning for warning in report.warnings)
    assert list(scores.asked()) == ["choice"]
    assert report.lead.startswith("sees chooses the right text of 100.0% of the pictures, a bag of words 75.0%.")
    assert {row["measure"] for row in rows(report, "benchmark")} == {"micro", "macro"}
    assert "Right text chosen by operator and atom" in [block.title for block in report.blocks]


def test_contrasts_of_one_picture_are_compared_beside_those_of_two() -> None:
    items = list(MATERIAL.contrasts.items)
    single = [replace(item, right=((0,),), pictures=item.pictures[:1], operator="add") for item in items[:4]]
    both = replace(QUICK, contrasts=ContrastSet(name="both", items=[*items, *single]))
    report, _ = audit(SEES, both, against=[TURNED])
    told = {(row["measure"], row["operator"]): row["contrasts"] for row in rows(report, "compared")}
    assert told["group score", "all"] == len(items)
    assert told["right text chosen", "add"] == told["right text chosen", "all"] == len(single)
    titles = [block.title for block in report.blocks]
    assert {"Group score by operator and atom", "Right text chosen by operator and atom"} <= set(titles)


def test_the_line_of_chance_is_that_of_the_texts_offered() -> None:
    words = ("cat left dog", "dog left cat", "cat left cup", "cup left dog")
    items = [Contrast(texts=words, pictures=(picture("cat", "dog"),), operator="replace", atom="relation")] * 2
    report, _ = audit(SEES, replace(QUICK, contrasts=ContrastSet(name="four", items=items)))
    dots = next(block for block in report.blocks if block.title == "Right text chosen by operator and atom")
    assert dots.lines == {"chance": 0.25}  # type: ignore[union-attr]
    assert blind_chance([Contrast(texts=("a", "b", "c"), right=((0, 1),))]) == pytest.approx(1 / 3)


def test_pairs_that_are_all_the_same_end_no_audit() -> None:
    pair = [item for item in MATERIAL.contrasts.items if item.operator == "swap"][:1] * 2
    report, _ = audit(SEES, replace(QUICK, contrasts=ContrastSet(name="twice", items=pair)), certify=True)
    told = " ".join(report.warnings)
    assert "pairs two by two are left out for sees: need items that differ" in told
    assert "the certificate is left out: need 16 captions or more that differ, got 1" in told
    assert rows(report, "which text is right")


def alone(given: Material) -> Material:
    """The same without its pictures."""
    items, again = ([replace(item, pictures=()) for item in part.items] for part in (given.contrasts, given.again))
    return replace(given, contrasts=replace(given.contrasts, items=items), again=replace(given.again, items=again))


def test_texts_alone() -> None:
    report, scores = audit(BAG, alone(MATERIAL))
    assert rows(report, "two by two") == rows(report, "which text is right") == []
    assert by(report, "how far texts move")["swap"]["ratio"] == 0
    assert rows(report, "paraphrases")[0]["false_alarms"] is None
    assert bool(scores.choice.isnan().all())
    assert report.lead.startswith("bag: the order of the words makes up 0.0%")


def test_a_tower_to_which_all_texts_are_one() -> None:
    mute = Toy("mute", slots, lambda pairs: slots([(0, 1)] * len(pairs)))
    report, _ = audit(mute, alone(MATERIAL))
    assert any("that are all alike to it" in warning for warning in report.warnings)
    assert rows(report, "how far texts move") == []
    report, _ = audit(mute, QUICK)
    assert any("left out for mute: need items that differ, got features that are all alike" in told for told in report.warnings)


def test_texts_longer_than_the_context_are_counted() -> None:
    toy = Toy("short", slots, slots)
    words = 6
    toy.text_features = (
        lambda texts: torch.stack(  # type: ignore[method-assign]
            [
                torch.nn.functional.normalize(
                    torch.tensor([float(sum(map(ord, w))) for w in (t.split() + ["."] * words)[:words]]), dim=0
                )
                for t in texts
            ]
        )
    )
    texts = [
        "a b c",
        "one two three four five six",
        "one two three four five six seven",
        "one two three four five seven six eight",
    ]
    assert unread(see(toy, [], texts)) == 2


def test_pictures_that_cannot_be_read_are_told(tmp_path: Any) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    items = list(MATERIAL.contrasts.items)
    items[0] = replace(items[0], pictures=(tmp_path / "broken.png", picture("dog", "cat")))
    report, _ = audit(SEES, replace(QUICK, contrasts=replace(MATERIAL.contrasts, items=items)))
    assert any("1 of 90 contrasts are left out, 89 are evaluated" in warning for warning in report.warnings)
    assert by(report, "two by two")["micro"]["pairs"] == 89


def test_the_digest_tells_materials_apart() -> None:
    items = MATERIAL.contrasts.items
    assert MATERIAL.digest() == material().digest()
    other = replace(MATERIAL, contrasts=replace(MATERIAL.contrasts, items=items[1:]))
    assert other.digest() != MATERIAL.digest()


def test_what_a_contrast_counts() -> None:
    items = [*MATERIAL.contrasts.items[:2], Contrast(texts=("cat left of dog", "dog left of cat"))]
    seen = see(SEES, items, ())
    scores = scores_of("x", "", items, choices(seen, items), pairs(seen, items))
    assert scores.choice.tolist()[:2] == [1, 1]
    assert scores.choice[2].isnan()
    assert scores.group[2].isnan()


def test_texts_alone_are_compared_with_other_models_and_not_with_earlier_audits(tmp_path: Any) -> None:
    given = alone(QUICK)
    _, of_bag = audit(BAG, given)
    keep(of_bag, tmp_path)
    report, _ = audit(SEES, given, against=[BAG, earlier(tmp_path, given.digest())])
    for task in ("how far texts move", "order in texts", "paraphrases"):
        assert {row["model"] for row in rows(report, task)} == {"sees", "bag"}, task
    moved = {(row["model"], row["operator"]): row["ratio"] for row in rows(report, "how far texts move")}
    assert moved["bag", "swap"] < 1e-6 < moved["sees", "swap"]
    assert any("earlier audits keep nothing of texts alone" in warning for warning in report.warnings)
    write(report, tmp_path)
    assert "model" in next(block for block in report.blocks if block.title.startswith("How far a text moves")).columns  # type: ignore[union-attr]
