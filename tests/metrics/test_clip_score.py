"""CLIPScore by hand and on the embedded CLIP."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from obvert.metrics import clip_score, clip_scores, paired_cosine


def test_by_hand() -> None:
    image = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    text = torch.tensor([[3.0, 4.0], [-1.0, 0.0], [0.0, 1.0]])
    assert paired_cosine(image, text).tolist() == pytest.approx([0.6, -1, 1])
    assert clip_score(image, text).tolist() == pytest.approx([1.5, 0, 2.5])
    with pytest.raises(ValueError, match="as many pictures as texts"):
        clip_score(image, text[:2])


def test_on_a_model(clip: Any) -> None:
    pictures, texts = (
        [torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(i)) for i in range(3)],
        ["a", "a red circle", "a"],
    )
    found = clip_scores(clip, pictures, texts)
    cosines = clip.image_features(pictures).double() @ clip.text_features(texts).double().T
    torch.testing.assert_close(found["cosine"], cosines.diagonal())
    torch.testing.assert_close(found["clip_score"], 2.5 * cosines.diagonal().clamp(min=0))
    torch.testing.assert_close(
        found["cosine_others"], torch.stack([cosines[0, 1], (cosines[1, 0] + cosines[1, 2]) / 2, cosines[2, 1]])
    )
    said = clip_scores(clip, pictures, ["red circle"] * 3, prompt="a ")
    torch.testing.assert_close(said["cosine"], clip_scores(clip, pictures, ["a red circle"] * 3)["cosine"])
    assert said["cosine_others"].isnan().all()
    assert clip_scores(clip, [], [])["cosine_others"].shape == (0,)
    with pytest.raises(ValueError, match="a text for each of 3 pictures"):
        clip_scores(clip, pictures, "abc")
