"""Settings are chosen on validation features alone, and the best candidate is found."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

import obvert
from obvert.core import Reference
from obvert.registry import find, names
from obvert.tasks._choose import choose
from obvert.tasks.retrieval import all_against_all

G = torch.Generator().manual_seed(0)


def test_text_pca_keeps_the_directions_that_carry_the_classes() -> None:
    centres = torch.zeros(6, 32)
    centres[:, :2] = normalize(torch.randn(6, 2, generator=G), dim=1)
    labels = torch.arange(60) % 6
    noise = torch.randn(60, 32, generator=G)
    noise[:, :2] = 0
    found = choose("text-pca", all_against_all(normalize(centres[labels] + noise, dim=1), labels), Reference(names=centres))
    assert found == obvert.TextPCA(components=2)


def test_without_settings_the_map_itself_is_chosen() -> None:
    features = normalize(torch.randn(8, 4, generator=G), dim=1)
    assert choose("mean", all_against_all(features, torch.arange(8) % 2), Reference(image=features)) == obvert.Mean()


@pytest.mark.parametrize("name", names("features"))
def test_every_candidate_can_be_fitted(name: str) -> None:
    image, text, words = (torch.randn(*shape, generator=G) for shape in ((16, 24), (16, 20), (30, 16)))
    reference = Reference(image=words, text=words, names=words, projections=(image, text), inverted={"image": words})
    candidates = find("features", name)().candidates(reference)
    assert candidates[0] == find("features", name)()
    assert len(set(candidates)) == len(candidates)
    for candidate in candidates:
        mapped = candidate.fit(reference)(words, "image")
        torch.testing.assert_close(mapped.norm(dim=1), torch.ones(30))
