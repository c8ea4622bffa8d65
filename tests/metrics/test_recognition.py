"""What a dual encoder takes pictures for, on features that are known."""

from __future__ import annotations

import math

import pytest
import torch

from obvert.metrics import class_score, rank_of

NAMES = torch.eye(4)


def test_ranks_by_hand() -> None:
    image = torch.tensor([[0.9, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.9]])
    image = image / image.norm(dim=1, keepdim=True)
    assert rank_of(image, NAMES, torch.tensor([0, 0])).tolist() == [0, 3]
    assert rank_of(image, NAMES, torch.tensor([2, 2])).tolist() == [2, 1]
    assert rank_of(torch.full((1, 4), 0.5), NAMES, torch.tensor([1])).tolist() == [3]  # what looks like all is like none


def test_class_scores_at_their_ends() -> None:
    assert class_score(NAMES, NAMES) == pytest.approx(4)
    assert class_score(NAMES[:1].expand(5, -1), NAMES) == pytest.approx(1)
    assert class_score(torch.full((3, 4), 0.5), NAMES) == pytest.approx(1)
    assert class_score(NAMES[:2], NAMES, temperature=1e-3) == pytest.approx(math.exp(math.log(2)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="need features"):
        rank_of(torch.zeros(2, 3), NAMES, torch.tensor([0, 0]))
    with pytest.raises(ValueError, match=r"need wanted names within 0\.\.3"):
        rank_of(NAMES, NAMES, torch.tensor([0, 1, 2, 4]))
    with pytest.raises(ValueError, match="need a picture or more"):
        class_score(torch.zeros(0, 4), NAMES)
