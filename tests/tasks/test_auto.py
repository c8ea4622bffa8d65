"""Choosing: the split leaks nothing, a map that must win wins, and noise is not taken for a gain."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from obvert.core import Fitted, Judged, ObvertError, Reference
from obvert.tasks._auto import choose_all, hold_out
from obvert.tasks.retrieval import Collection, all_against_all, first_against_rest

G = torch.Generator().manual_seed(2)


def spoiled(clip, per_class: int = 12, classes: int = 8) -> tuple[torch.Tensor, torch.Tensor, Fitted]:
    """Features whose classes lie in the first directions under strong noise in the others, and the map that removes it."""
    d = clip.dimension
    labels = torch.arange(classes).repeat_interleave(per_class)
    signal = torch.eye(d)[labels] + 0.1 * torch.randn(len(labels), d, generator=G) * (torch.arange(d) < classes)
    noise = 3 * torch.randn(len(labels), d, generator=G) * (torch.arange(d) >= classes)
    keep = torch.diag((torch.arange(d) < classes).float())
    cure = Fitted(name="inverter", settings={}, shift={"image": torch.zeros(d)}, matrix={"image": keep})
    return normalize(signal + noise, dim=1), labels, cure


def test_a_map_that_must_win_is_chosen_and_explained(clip) -> None:
    features, labels, cure = spoiled(clip)
    validation, test = hold_out(all_against_all(features, labels))
    choice = choose_all(clip, validation, Reference(), settings={"inverter": cure, "oti": _quick()})
    assert choice.name == "inverter"
    assert "a gain of +" in choice.why
    applied = choice.apply(clip, test, Reference())
    scores = applied.queries @ applied.gallery.T
    scores[torch.arange(len(scores)), test.self_index] = -1
    right = labels[test.query_rows][:, None] == labels[test.gallery_rows][scores.topk(5).indices]
    assert right.float().mean() > 0.95
    assert {row["family"] for row in choice.rows} == {"inverter", "oti"}


def test_without_a_gain_it_stays_native(clip) -> None:
    d = clip.dimension
    labels = torch.arange(8).repeat_interleave(12)
    features = normalize(torch.eye(d)[labels] + 0.05 * torch.randn(96, d, generator=G), dim=1)
    validation, test = hold_out(all_against_all(features, labels))
    choice = choose_all(clip, validation, Reference(names=features), settings={"oti": _quick()})
    assert choice.name == "native"
    assert torch.equal(choice.apply(clip, test, Reference()).queries, features[test.query_rows])


def _quick():
    from obvert.methods.oti import OTI

    return OTI(steps=2)


@pytest.mark.parametrize("counts", [[4, 4, 9], [30, 2, 3, 40]])
def test_no_validation_picture_is_a_test_query(counts: list[int]) -> None:
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    validation, test = hold_out(all_against_all(torch.zeros(len(labels), 3), labels), seed=1)
    assert not torch.isin(validation.query_rows, test.query_rows).any()
    assert torch.equal(validation.query_rows, validation.gallery_rows)
    assert torch.equal(torch.cat([validation.query_rows, test.query_rows]).sort().values, torch.arange(len(labels)))
    assert torch.equal(test.gallery_rows, torch.arange(len(labels)))
    for kind, count in enumerate(counts):
        assert (labels[test.query_rows] == kind).sum() >= 2
        taken = (labels[validation.query_rows] == kind).sum()
        assert taken >= 2 if count >= 4 else taken == 0


def test_a_gallery_of_its_own_gives_the_validation_and_keeps_the_test_whole() -> None:
    labels = torch.arange(5).repeat(8)
    rows = torch.arange(40)
    data = Collection(features=torch.zeros(40, 3), labels=labels, query_rows=rows[:10], gallery_rows=rows[10:], modality="image")
    validation, test = hold_out(data)
    assert test is data
    assert (validation.query_rows >= 10).all()


def test_groups_of_texts_are_split_whole() -> None:
    groups = torch.arange(10).repeat_interleave(3)
    validation, test = hold_out(first_against_rest(torch.zeros(30, 3), groups))
    assert set(groups[validation.query_rows].tolist()) == set(groups[validation.gallery_rows].tolist())
    assert not set(validation.query_rows.tolist()) & set(test.query_rows.tolist())
    assert len(test.gallery_rows) == 20


def test_too_little_to_choose_on_is_told() -> None:
    with pytest.raises(ObvertError, match="four pictures or more"):
        hold_out(all_against_all(torch.zeros(6, 3), torch.tensor([0, 0, 1, 1, 2, 2])))
    with pytest.raises(ObvertError, match="four groups"):
        hold_out(first_against_rest(torch.zeros(6, 3), torch.tensor([0, 0, 1, 1, 2, 2])))


def test_texts_of_classes_are_split_like_pictures() -> None:
    labels = torch.arange(40) % 2
    data = replace(
        all_against_all(torch.zeros(40, 3), labels),
        modality="text",
        query_rows=torch.arange(10),
        gallery_rows=torch.arange(10, 40),
    )
    validation, test = hold_out(data)
    assert test is data
    assert set(validation.query_rows.tolist()) <= set(range(10, 40))
    assert labels[validation.query_rows].unique().tolist() == [0, 1]


def test_relevance_listed_query_by_query_is_refused() -> None:
    data = replace(all_against_all(torch.zeros(4, 3), torch.zeros(4)), judged={"": Judged(relevant=[[]] * 4, junk=[[]] * 4)})
    with pytest.raises(ObvertError, match="listed query by query"):
        hold_out(data)
